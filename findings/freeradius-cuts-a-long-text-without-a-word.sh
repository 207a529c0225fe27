#!/bin/sh
# FreeRADIUS 3.2.1 (Debian 12) sends the first 253 octets of a longer Reply-Message or Class and says nothing; what
# doesn't fit into 4,096 octets is left out of the answer likewise.
#
# The guess that fails: a text of 300 octets is split into two Reply-Message attributes (RFC 2865 §5.18 allows several),
# or refused when the users file is read. It is cut, also within a UTF-8 letter; so is a Class, which a client has to
# send back unchanged (§5.25) and which then isn't what its author wrote.
#
# What it means for a proxy: an upstream's text may end in half a letter, so it is passed on as octets or mended where
# it is shown; and no long value is to be kept in a Class.
#
# Needs Debian 12, apt-get, dpkg-deb and a free port 21812 on 127.0.0.1; installs nothing outside of a temporary folder.
set -eu

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
mkdir -p "$folder/apt/archives/partial" "$folder/root" "$folder/etc"
: > "$folder/status"
apt-get -qq -y --no-install-recommends --download-only \
  -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/apt" -o Debug::NoLocking=1 \
  install freeradius=3.2.1+dfsg-4+deb12u1 freeradius-utils=3.2.1+dfsg-4+deb12u1 >"$folder/apt.log" 2>&1 \
  || { cat "$folder/apt.log"; exit 2; }
for package in "$folder"/apt/archives/*.deb; do
  dpkg-deb -x "$package" "$folder/root"
done
modules=$(find "$folder/root" -name 'rlm_files.so' -exec dirname {} \;)
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | paste -sd:)
loader=$(find "$folder/root" -name 'ld-linux-*' | head -n 1)

letters() { printf "%${1}s" '' | sed "s/ /$2/g"; }
{
  printf 'long Cleartext-Password := "p"\n\tReply-Message := "%s"\n' "$(letters 300 x)"
  printf 'umlauts Cleartext-Password := "p"\n\tReply-Message := "%s"\n' "$(letters 150 ü)"
  printf 'class Cleartext-Password := "p"\n\tClass := "%s"\n' "$(letters 300 c)"
  printf 'many Cleartext-Password := "p"\n'
  for number in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28; do
    printf '\tReply-Message += "%s%s",\n' "$number" "$(letters 240 y)"
  done
  printf '\tReply-Message += "29%s"\n' "$(letters 240 y)"
} > "$folder/etc/users"
cat > "$folder/etc/radiusd.conf" <<END
libdir = $modules
logdir = $folder/etc
raddbdir = $folder/etc
security {
  allow_vulnerable_openssl = yes
}
client here {
  ipaddr = 127.0.0.1
  secret = testing123
}
listen {
  type = auth
  ipaddr = 127.0.0.1
  port = 21812
  virtual_server = texts
}
modules {
  pap {
  }
  files {
    usersfile = $folder/etc/users
  }
}
server texts {
  authorize {
    files
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
  }
}
END
"$loader" --library-path "$libraries" "$folder/root/usr/sbin/freeradius" -f -l stdout -xx -d "$folder/etc" -n radiusd \
  -D "$folder/root/usr/share/freeradius" > "$folder/log" 2>&1 &
server=$!
tries=0
until grep -q 'Ready to process requests' "$folder/log"; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] && kill -0 "$server" || { tail "$folder/log"; exit 2; }
  sleep 0.1
done

unexpected=0
ask() {
  printf 'User-Name = "%s"\nUser-Password = "p"\n' "$1" \
    | "$loader" --library-path "$libraries" "$folder/root/usr/bin/radclient" -D "$folder/root/usr/share/freeradius" \
      -x -r 1 -t 5 127.0.0.1:21812 auth testing123 2>&1 | sed -n '/^Received/,$p'
}
expect() {
  printf '%s: %s\n' "$1" "$2"
  [ "$2" = "$3" ] || unexpected=1
}
octets() { sed -n "s/.*length \([0-9]*\).*/\1/p" | head -n 1; }
expect 'a Reply-Message of 300 octets makes an Accept of' "$(ask long | octets) octets" '275 octets'
expect 'a Reply-Message of 150 ü (300 octets) makes an Accept of' "$(ask umlauts | octets) octets" '275 octets'
expect 'a Class of 300 octets makes an Accept of' "$(ask class | octets) octets" '275 octets'
expect 'of 20 Reply-Messages of 242 octets arrive' "$(ask many | grep -c Reply-Message)" 16
expect 'lines of the debug log that tell of it' "$(grep -ciE 'truncat|too long|does not fit|discard|no room' "$folder/log" || true)" 0
[ "$unexpected" = 0 ] || { echo "FreeRADIUS does otherwise now: this finding is out of date"; exit 1; }
