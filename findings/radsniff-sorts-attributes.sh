#!/bin/sh
# radsniff 3.2.1 (Debian 12) shows a packet's attributes sorted by number, not as they were sent.
#
# The guess that fails: to see whether Message-Authenticator (80) comes first, as RFC 3579 §3.2 and the mend of
# Blast-RADIUS want it, look at radsniff -x. It shows it after User-Name (1) in a packet that begins with it, and gives
# no hint that the order is its own.
#
# What it means: judge the order of attributes by octets (tcpdump -X, Wireshark), never by radsniff.
#
# The captured packet is made up: Message-Authenticator, User-Name "alice", User-Password, NAS-IP-Address,
# Calling-Station-Id, in this order. Needs Debian 12, apt-get and dpkg-deb; installs nothing outside of a temporary folder.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/apt/archives/partial" "$folder/root"
: > "$folder/status"
apt-get -qq -y --no-install-recommends --download-only \
  -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/apt" -o Debug::NoLocking=1 \
  install freeradius-utils=3.2.1+dfsg-4+deb12u1 freeradius-common=3.2.1+dfsg-4+deb12u1 >"$folder/apt.log" 2>&1 \
  || { cat "$folder/apt.log"; exit 2; }
for package in "$folder"/apt/archives/*.deb; do
  dpkg-deb -x "$package" "$folder/root"
done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | paste -sd:)
loader=$(find "$folder/root" -name 'ld-linux-*' | head -n 1)

base64 -d > "$folder/packet.pcap" <<'END'
1MOyoQIABAAAAAAAAAAAAP//AAABAAAAAPFTZQAAAAB6AAAAegAAAAAAAAAAAAAAAAAAAAgARQAAbAABAABAEXx+fwAAAX8AAAGc
QAcUAFgAAAEHAFAAAQIDBAUGBwgJCgsMDQ4PUBIBAQEBAQEBAQEBAQEBAQEBAQdhbGljZQISAgICAgICAgICAgICAgICAgQGCgAA
AR8LMTkyLjAuMi43
END
shown=$("$loader" --library-path "$libraries" "$folder/root/usr/bin/radsniff" -x -D "$folder/root/usr/share/freeradius" \
  -s testing123 -I "$folder/packet.pcap" 2>&1 | sed -n 's/^[[:space:]]*\([A-Za-z-]*\) = .*/\1/p' | grep -v Authenticator-Field)
printf 'sent:  Message-Authenticator User-Name User-Password NAS-IP-Address Calling-Station-Id\n'
printf 'shown: %s\n' "$(printf '%s' "$shown" | paste -sd' ')"
[ "$(printf '%s' "$shown" | paste -sd' ')" = \
  'User-Name User-Password NAS-IP-Address Calling-Station-Id Message-Authenticator' ] \
  || { echo "radsniff shows otherwise now: this finding is out of date"; exit 1; }
