# Part of 'systemd/install --package': makes a Debian package of what lies in $stage, and writes it to $here.
# A file is the same for the same sources and libraries: its times are those of the last commit.
doc=$share/doc/convod
mkdir -p "$stage/DEBIAN" "$base/lib/systemd/system" "$base/lib/sysusers.d" "$base/lib/tmpfiles.d" "$doc"
install -m 644 systemd/system/convod.service systemd/system/convod.socket "$base/lib/systemd/system/"
install -m 644 systemd/convod.sysusers.conf "$base/lib/sysusers.d/convod.conf"
install -m 644 systemd/convod.tmpfiles.conf "$base/lib/tmpfiles.d/convod.conf"
install -m 644 README.md schema/configuration.md schema/views.sql "$doc/"
install -m 644 LICENSE "$doc/copyright"
gzip -9n "$share/man/man1/convo.1" "$share/man/man8/convod.8"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
# A later commit's package is newer, or nothing would be upgraded.
version=$("$base/bin/convo" --version | cut -d' ' -f2)+$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)
commit=$(git rev-parse --short HEAD 2>/dev/null || true)
[ -z "$commit" ] || version=$version.$commit
printf 'convod (%s) unstable; urgency=medium\n\n  * Built from %s.\n\n -- convod <convod@localhost>  %s\n' \
    "$version" "$(git rev-parse --short HEAD 2>/dev/null || echo 'an archive')" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" |
    gzip -9n >"$doc/changelog.gz"

# The libraries that the programs ask for, by the packages that have them here.
depends=$(for program in convod convo; do ldd "$base/bin/$program"; done |
    sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | while read -r library; do
    package=$(dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "*$(basename "$(readlink -f "$library")")")
    echo "$package" | head -n 1 | cut -d: -f1
done | sort -u | grep -E '^(libc6|libcurl|libsqlite3|libssl|libedit|libmd4c|libgcc|libstdc)' | while read -r package; do
    case $package in
    libc6) echo "libc6 (>= $(dpkg-query -f '${Version}' -W libc6 | cut -d- -f1))" ;;
    *) echo "$package" ;;
    esac
done | paste -sd, | sed 's/,/, /g')
case $depends in
*libsqlite3*libssl*) ;;
*) fail "the libraries of the programs were not found among the packages: '$depends'" ;;
esac

cat >"$stage/DEBIAN/control" <<CONTROL
Package: convod
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: convod <convod@localhost>
Installed-Size: $(du -sk "$base" | cut -f1)
Depends: $depends
Recommends: systemd, ca-certificates
Suggests: sqlite3
Section: utils
Priority: optional
Description: daemon that owns conversations with language models
 convod gives each conversation a session ID, keeps its whole history in
 SQLite, sends a window of it to the model with every prompt, and speaks the
 Agent Client Protocol on a Unix socket. convo is its command line.
 .
 Each user's convo starts a daemon by itself; 'convo service install' has
 systemd keep it. One for the whole machine: 'systemctl enable --now
 convod.socket', and its users are the members of the group convod.
CONTROL

cat >"$stage/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers convod.conf
    elif ! getent passwd convod >/dev/null; then
        getent group convod >/dev/null || groupadd --system convod
        useradd --system --gid convod --home-dir /var/lib/convod --no-create-home --shell /usr/sbin/nologin convod
    fi
    if [ -d /run/systemd/system ]; then
        systemd-tmpfiles --create convod.conf || true
        systemctl daemon-reload || true
        # Clients wait at the socket meanwhile; running answers get a moment to end. Users' own daemons run on as they are.
        [ -z "$2" ] || systemctl try-restart convod.service || true
    fi
fi
POSTINST
cat >"$stage/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now convod.socket convod.service || true
fi
PRERM
cat >"$stage/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
if [ "$1" = purge ]; then
    rm -f /etc/systemd/system/sockets.target.wants/convod.socket /etc/systemd/system/multi-user.target.wants/convod.service
    rm -f /run/convod/convod.sock /run/convod/convod.sock.lock
    rmdir /run/convod /etc/convod 2>/dev/null || true
    if [ -e /var/lib/convod/convod.db ]; then
        echo "convod: the conversations in /var/lib/convod stay; 'rm -r /var/lib/convod' removes them"
    else
        rmdir /var/lib/convod 2>/dev/null || true
    fi
fi
POSTRM
chmod 755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm" "$stage/DEBIAN/postrm"
(cd "$stage" && find usr -type f -exec md5sum {} +) | sort -k 2 >"$stage/DEBIAN/md5sums"
find "$stage" -type d -exec chmod 755 {} +
find "$stage/usr" -type f ! -path '*/bin/*' -exec chmod 644 {} +
package=$here/convod_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group -Zxz --build "$stage" "$package.new" >/dev/null
# 'apt install ./convod_*.deb' must find one.
rm -f "$here"/convod_*_"$(dpkg --print-architecture)".deb
mv "$package.new" "$package"
say "'$package' is there; 'apt install $package' installs it"
