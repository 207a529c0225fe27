#!/bin/sh
# python-pskc 1.4 can't open a key container that it wrote itself, where the PBKDF2 function was chosen.
#
# The guess that fails: what setup_pbkdf2(passphrase, prf="hmac-sha256") wrote, derive_key(passphrase) reads. It writes
# the function as text of <PRF>, and reads it from the attribute Algorithm (as RFC 6030 §6.1's schema has it), so it
# derives another key and raises an error that speaks of the padding or the MAC. Without prf the same steps work.
#
# What it means for an importer of PSKC: look in both places, since files of the first form exist; and don't tell an admin
# that the passphrase is wrong before the other function was tried.
#
# Needs python3 with venv and a package index; installs nothing outside of a temporary folder.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python" > /dev/null
"$folder/python/bin/pip" install --quiet --disable-pip-version-check python-pskc==1.4 cryptography==50.0.2 python-dateutil==2.9.0.post0
"$folder/python/bin/python" - "$folder" <<'END'
import sys
from pskc import PSKC

SECRET = b"12345678901234567890"  # RFC 4226, appendix D


def round_trip(name, **options):
    path = f"{sys.argv[1]}/{name}.xml"
    written = PSKC()
    written.add_key(id="1", secret=SECRET, algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp", response_length=6, time_interval=30)
    written.encryption.setup_pbkdf2("correct horse battery staple", **options)
    written.write(path)
    read = PSKC(path)
    try:
        read.encryption.derive_key("correct horse battery staple")
        outcome = "opened" if read.keys[0].secret == SECRET else "another secret"
    except Exception as error:
        outcome = "refused"
        print(f"  ({type(error).__name__}: {error})")
    print(f"{name}: {outcome}")
    return outcome


assert round_trip("without-prf") == "opened", "out of date"
for prf in ("hmac-sha256", "hmac-sha512"):
    assert round_trip(f"prf-{prf}", prf=prf) != "opened", "it opens its own file now: this finding is out of date"
END
