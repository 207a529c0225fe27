#!/bin/sh
# MariaDB 10.11.19 (Debian 12): of its 317 collations 20 hold two different characters of plain ASCII to be one: Lithuanian i = y;
# Roman i = j and u = v; macce_general_ci m = n; big5_chinese_ci ` = e, and with gbk and gb2312 y = ~; geostd8_general_ci @ = `.
#
# The guess that fails: a collation that ignores case (`_ci`) folds letters with their accents and A with a, but tells a from b;
# so names of lower-case ASCII letters alone are as many accounts as they look. Under macce_general_ci `jim` and `jin` are one,
# also for a unique index. That Lithuanian sorts y beside i is a custom of the language; for m and n, or @ and `, none is known.
#
# What it means for a proxy before a server whose accounts stand in MariaDB: printable ASCII is not proof enough that two names are
# two people; the column of names wants a binary collation (`_bin`), or the server has to say which account it took.
#
# Needs Debian 12, apt-get and dpkg-deb; starts no server that listens, and installs nothing outside of a temporary folder.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/apt/archives/partial" "$folder/root" "$folder/data" "$folder/out"
: > "$folder/status"
version=1:10.11.19-0+deb12u1
apt-get -qq -y --no-install-recommends --download-only \
  -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/apt" -o Debug::NoLocking=1 \
  install "mariadb-server-core=$version" "mariadb-common=$version" >"$folder/apt.log" 2>&1 || { cat "$folder/apt.log"; exit 2; }
for package in "$folder"/apt/archives/*.deb; do
  dpkg-deb -x "$package" "$folder/root"
done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | paste -sd:)
loader=$(find "$folder/root" -name 'ld-linux-*' | head -n 1)

# Statements from stdin, with nobody listening; results go to files.
sql() {
  "$loader" --library-path "$libraries" "$folder/root/usr/sbin/mariadbd" --no-defaults --bootstrap --skip-grant-tables \
    --user="$(id -un)" --datadir="$folder/data" --lc-messages-dir="$folder/root/usr/share/mysql" --secure-file-priv= \
    --character-sets-dir="$folder/root/usr/share/mysql/charsets" > "$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
}

sql <<END
CREATE DATABASE letters;
SELECT COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS
  WHERE CHARACTER_SET_NAME NOT IN ('binary', 'swe7') INTO OUTFILE '$folder/out/collations';
END
{
  echo 'USE letters;'
  echo 'CREATE TABLE c (n int);'
  echo 'CREATE TABLE pairs (collation varchar(64), pair char(2) CHARACTER SET ascii COLLATE ascii_bin);'
  # What may stand in a name, without capitals.
  seq 33 64 | sed 's/.*/INSERT INTO c VALUES (&);/'
  seq 91 126 | sed 's/.*/INSERT INTO c VALUES (&);/'
  while read -r collation charset; do
    one() { printf 'CONVERT(CHAR(%s USING ascii) USING %s) COLLATE %s' "$1" "$charset" "$collation"; }
    # What the character set lacks would come as "?" and be no pair.
    has() { printf 'HEX(CONVERT(CONVERT(CHAR(%s USING ascii) USING %s) USING ascii)) = HEX(%s)' "$1" "$charset" "$1"; }
    printf "INSERT INTO pairs SELECT '%s', CHAR(x.n, y.n USING ascii) FROM c x, c y WHERE x.n < y.n AND %s AND %s AND %s = %s;\n" \
      "$collation" "$(has x.n)" "$(has y.n)" "$(one x.n)" "$(one y.n)"
  done < "$folder/out/collations"
  echo "SELECT collation, GROUP_CONCAT(pair ORDER BY pair SEPARATOR ' ') FROM pairs"
  echo "  GROUP BY collation ORDER BY collation INTO OUTFILE '$folder/out/pairs' FIELDS TERMINATED BY ': ';"
} | sql

cat > "$folder/expected" <<'END'
big5_chinese_ci: `e y~
big5_chinese_nopad_ci: `e y~
gb2312_chinese_ci: y~
gb2312_chinese_nopad_ci: y~
gbk_chinese_ci: y~
gbk_chinese_nopad_ci: y~
geostd8_general_ci: @`
geostd8_general_nopad_ci: @`
macce_general_ci: mn
macce_general_nopad_ci: mn
ucs2_lithuanian_ci: iy
ucs2_roman_ci: ij uv
utf16_lithuanian_ci: iy
utf16_roman_ci: ij uv
utf32_lithuanian_ci: iy
utf32_roman_ci: ij uv
utf8mb3_lithuanian_ci: iy
utf8mb3_roman_ci: ij uv
utf8mb4_lithuanian_ci: iy
utf8mb4_roman_ci: ij uv
END
cat "$folder/out/pairs"
echo "of $(wc -l < "$folder/out/collations") collations"
cmp -s "$folder/out/pairs" "$folder/expected" || { echo "MariaDB does otherwise now: this finding is out of date"; exit 1; }
