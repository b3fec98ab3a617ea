# Runs in the chroot, as root, without a network but loopback: /result gets the cases. tests/package/run says what they mean, and puts into /plan what the older
# package is: BEFORE=FILE, and SCHEMA_BEFORE where its database has an older schema.
exec 3>>/result
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
. /plan
is() { # NAME COMMAND…
    name=$1
    shift
    if "$@"; then echo "ok - $name" >&3; else echo "not ok - $name" >&3; fi
}
version() { dpkg-query -W -f '${Version}' parta; }
version_of() { dpkg-deb -f "$1" Version; }
left() { find /etc /usr /var/lib -xdev -name 'parta*' -not -path '/var/lib/dpkg/*' -not -path '/var/lib/systemd/*' -not -path '/etc/nginx/*'; }
healthy() { curl --fail --silent --show-error --retry 100 --retry-all-errors --retry-delay 1 --retry-max-time 100 http://127.0.0.1:8008/health >/dev/null; }
runs() { systemctl is-active "$1"; }
rests() { ! runs "$1"; }

ip link set lo up
install -m 755 /systemctl /usr/local/sbin/systemctl

# Installed: a user, a folder of its own, a configuration for it and root; not started, and it would not start.
mv /usr/sbin/policy-rc.d /policy-rc.d # mmdebstrap's, by which no package starts anything
mkdir -p /run/systemd/system # from here on the package believes that units are run here, and tells systemctl what it wants
dpkg -i "$NEW"
is "installing goes through" [ "$(version)" = "$(version_of "$NEW")" ]
is "it makes the server's user" getent passwd parta
is "who may read the configuration: root and the server" [ "$(stat -c '%a %U %G' /etc/parta/parta.yaml)" = "640 root parta" ]
is "whose folder the data is" [ "$(stat -c '%a %U' /var/lib/parta)" = "700 parta" ]
is "nothing is enabled before it is configured" [ ! -e /etc/systemd/system/multi-user.target.wants/parta.service ]
is "and nothing is started" rests parta
refused() { ! runuser -u parta -- parta config check; }
is "it does not start without a server_name" refused
dpkg -P parta
is "purged unused, nothing is left" [ -z "$(left)" ]

# The guide as it stands. What apt installs on the way is not started, but for the package.
mkdir /guide
cp "$NEW" /guide
(cd /guide && bash -x /guide.sh) >/guide.log 2>&1
is "the guide leaves nginx's other sites" [ -e /etc/nginx/sites-enabled/default ]
is "and enables the server" [ -e /etc/systemd/system/multi-user.target.wants/parta.service ]
is "and the nightly backup" [ -e /etc/systemd/system/timers.target.wants/parta-backup.timer ]
sound() { runuser -u parta -- parta verify "$@"; }
is "whose first is sound" sound /var/backups/parta/20*

# Renewed, by the site that the guide has put up now: what nginx shows is the new one.
shown() { echo | openssl s_client -connect 127.0.0.1:443 -servername chat.school.test 2>/dev/null | openssl x509 -noout -serial -issuer; }
first=$(shown)
another() { second=$(shown) && [ "$first" != "$second" ] && echo "$second" | grep -q Pebble; }
renewed() { certbot renew --force-renewal && for _ in $(seq 100); do another && return; sleep 0.1; done && false; } # a reload takes its time
is "certbot renews the certificate, and its hook shows it to nginx" renewed
kill "$(cat /pebble.pid)"
nginx -s stop
echo parta parta/erase boolean true | debconf-set-selections
dpkg -P parta
is "purged with a word while it ran, the server ends and nothing is left" rests parta
is "but the backups" [ -z "$(left)" -a -d /var/backups/parta ]
rm -r /var/backups/parta
rm -f /parta.log

# Upgraded from the one before, while people are at it.
dpkg -i "$BEFORE"
is "the older package installs" [ "$(version)" = "$(version_of "$BEFORE")" ]
sed -i "s|^#server_name:.*|server_name: school.test|; s|^#public_baseurl:.*|public_baseurl: http://127.0.0.1:8008|" /etc/parta/parta.yaml
systemctl enable --now parta
install -d -m 700 -o parta /var/backups/parta
is "the older server runs" healthy
mkdir /school
is "a school moves in: a roster, messages, files, apps and browsers that are signed in" python3 /school.py before /school
is "the older program makes a backup" runuser -u parta -- parta backup /var/backups/parta/before
cp /etc/parta/parta.yaml /kept.yaml
old_server=$(cat /run/units/parta.service)
python3 /school.py beside /school &
beside=$!
while [ ! -e /school/begun ] && kill -0 $beside; do sleep 0.1; done
sleep 2
dpkg --force-confold -i "$NEW"
is "upgrading goes through" [ "$(version)" = "$(version_of "$NEW")" ]
is "it starts the server anew by itself" healthy
is "which is another process, and the older one is gone" [ "$(cat /run/units/parta.service)" != "$old_server" -a ! -e "/proc/$old_server" ]
sleep 3
touch /school/enough
wait $beside
is "who writes and who waits came through" [ $? = 0 ]
is "the configuration is kept" cmp /kept.yaml /etc/parta/parta.yaml
is "and who may read it" [ "$(stat -c '%a %U %G' /etc/parta/parta.yaml)" = "640 root parta" ]
is "the new one lies beside it" [ -e /etc/parta/parta.yaml.dpkg-dist ]
is "the service is still enabled" [ -e /etc/systemd/system/multi-user.target.wants/parta.service ]
schema=$(parta version | sed 's/.*(schema \([0-9]*\)).*/\1/')
if [ -n "$SCHEMA_BEFORE" ]; then
    steps() { [ "$(sed -n 's/.*migrating to schema \([0-9]*\).*/\1/p' /parta.log | tail -n "$((schema - SCHEMA_BEFORE))")" = "$(seq "$((SCHEMA_BEFORE + 1))" "$schema")" ]; }
    is "it was brought from schema $SCHEMA_BEFORE to $schema, and the log names each step" steps
fi
python3 /school.py after /school upgraded >&3
is "a backup is made" runuser -u parta -- parta backup /var/backups/parta/after
verified() { sound "$1" >/verified && cat /verified && grep -q "is sound: schema $2, " /verified; }
is "and parta verify is content with it" verified /var/backups/parta/after "$schema"
is "and with the one that the older program made" verified /var/backups/parta/before "${SCHEMA_BEFORE:-$schema}"

# Once more over itself: what an upgrade stops it starts again, the timer too (the older package may have none).
systemctl enable --now parta-backup.timer
server=$(cat /run/units/parta.service)
dpkg -i "$NEW"
is "installed over itself, the server is started anew" healthy
is "and is another process" [ "$(cat /run/units/parta.service)" != "$server" ]
is "and the nightly backup's timer still runs" runs parta-backup.timer

# Back to the older one, which is refused where the schema is newer than the program knows.
if [ -n "$SCHEMA_BEFORE" ]; then
    : >/parta.log
    dpkg --force-confold -i "$BEFORE"
    ends() { for i in $(seq 100); do runs parta || return 0; sleep 0.2; done; return 1; }
    is "downgraded, the older server does not start" ends
    is "and says why" grep "the database has schema $schema" /parta.log
    dpkg --force-confold -i "$NEW"
    systemctl start parta
    is "with the newer package again it runs" healthy
    rm /school/beside.json
    python3 /school.py after /school "after a downgrade that was refused" >&3
fi
systemctl stop parta
# What this program says of a database of a later one; python3 has SQLite.
numbered() { runuser -u parta -- python3 -c "import sqlite3; sqlite3.connect('/var/lib/parta/parta.db').execute('PRAGMA user_version = $1')"; }
numbered $((schema + 1))
: >/parta.log
told() { ! runuser -u parta -- partad --config /etc/parta/parta.yaml 2>/parta.log && cat /parta.log && grep -q "has schema $((schema + 1)), and this program knows $schema at most.*Install that version again" /parta.log; }
is "a database of a later schema is refused, with what to do" told
numbered "$schema"
systemctl start parta
is "and was left as it is" healthy

# Removed while it runs: the server ends, the programs go.
server=$(cat /run/units/parta.service)
dpkg -r parta
is "removing ends the server" [ ! -e "/proc/$server" ]
is "and the timer" rests parta-backup.timer
is "and takes the programs" [ ! -e /usr/bin/partad -a ! -e /lib/systemd/system/parta.service ]
is "and keeps configuration and data" [ -s /etc/parta/parta.yaml -a -s /var/lib/parta/parta.db -a -s /var/lib/parta/signing.key ]
dpkg -P parta 2>/said
is "purging takes the configuration" [ ! -e /etc/parta/parta.yaml ]
is "and keeps the data and the backups, and says so" [ -s /var/lib/parta/parta.db -a -n "$(grep /var/lib/parta /said)" -a -d /var/backups/parta -a -n "$(grep /var/backups/parta /said)" ]
dpkg -i "$NEW"
cp /kept.yaml /etc/parta/parta.yaml
systemctl enable --now parta
rm -f /school/beside.json
is "installed again, it runs" healthy
python3 /school.py after /school "purged and installed again" >&3
echo parta parta/erase boolean true | debconf-set-selections
dpkg -P parta 2>/said
is "purged with a word, nothing is left" [ -z "$(left)" ]
is "but the backups, which are told of, and the user whose they are" [ -s /var/backups/parta/after/parta.db -a -n "$(grep /var/backups/parta /said)" -a "$(stat -c %U /var/backups/parta/after)" = parta ]
left
rm -r /run/systemd/system
mv /policy-rc.d /usr/sbin/policy-rc.d
echo end >&3
