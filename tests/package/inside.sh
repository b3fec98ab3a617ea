# Runs in the chroot, as root, without a network but loopback: /result gets the cases. tests/package/run says what they mean.
exec 3>>/result
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
new=$(ls /parta_*_amd64.deb /parta_*_arm64.deb 2>/dev/null | head -n 1) before=/parta_0.0.1_before.deb
is() { # NAME COMMAND…
    name=$1
    shift
    if "$@"; then echo "ok - $name" >&3; else echo "not ok - $name" >&3; fi
}
version() { dpkg-query -W -f '${Version}' parta; }
left() { find /etc /usr /var/lib -xdev -name 'parta*' -not -path '/var/lib/dpkg/*' -not -path '/var/lib/systemd/*' -not -path '/etc/nginx/*'; }

ip link set lo up
install -m 755 /systemctl /usr/local/sbin/systemctl

# Installed: a user, a folder of its own, a configuration for it and root; not started, and it would not start.
dpkg -i "$before"
is "installing goes through" [ "$(version)" = 0.0.1 ]
is "it makes the server's user" getent passwd parta
is "who may read the configuration: root and the server" [ "$(stat -c '%a %U %G' /etc/parta/parta.yaml)" = "640 root parta" ]
is "whose folder the data is" [ "$(stat -c '%a %U' /var/lib/parta)" = "700 parta" ]
is "nothing is enabled before it is configured" [ ! -e /etc/systemd/system/multi-user.target.wants/parta.service ]
refused() { ! runuser -u parta -- parta config check; }
is "it does not start without a server_name" refused
dpkg -P parta
is "purged unused, nothing is left" [ -z "$(left)" ]

# The guide as it stands, with the older package.
mkdir /guide
cp "$before" /guide
(cd /guide && bash -x /guide.sh) >/guide.log 2>&1
is "the guide leaves nginx's other sites" [ -e /etc/nginx/sites-enabled/default ]
is "and enables the server" [ -e /etc/systemd/system/multi-user.target.wants/parta.service ]
is "and the nightly backup" [ -e /etc/systemd/system/timers.target.wants/parta-backup.timer ]
sound() { runuser -u parta -- parta verify /var/backups/parta/20*; }
is "whose first is sound" sound

# Renewed, by the site that the guide has put up now: what nginx shows is the new one.
shown() { echo | openssl s_client -connect 127.0.0.1:443 -servername chat.school.test 2>/dev/null | openssl x509 -noout -serial -issuer; }
first=$(shown)
renewed() { certbot renew --force-renewal && second=$(shown) && [ "$first" != "$second" ] && echo "$second" | grep -q Pebble; }
is "certbot renews the certificate, and its hook shows it to nginx" renewed
kill "$(cat /pebble.pid)"

kill "$(cat /partad.pid)"
while kill -0 "$(cat /partad.pid)" 2>/dev/null; do sleep 0.1; done

# Upgraded: the configuration is the administrator's, the data is there.
cp /etc/parta/parta.yaml /kept.yaml
dpkg --force-confold -i "$new"
is "upgrading goes through" [ "$(version)" != 0.0.1 ]
is "the configuration is kept" cmp /kept.yaml /etc/parta/parta.yaml
is "and who may read it" [ "$(stat -c '%a %U %G' /etc/parta/parta.yaml)" = "640 root parta" ]
is "the new one lies beside it" [ -e /etc/parta/parta.yaml.dpkg-dist ]
has_school() { runuser -u parta -- parta school list | grep -q 'School no. 1'; }
is "the data is there" has_school
is "the service is still enabled" [ -e /etc/systemd/system/multi-user.target.wants/parta.service ]

# Removed: the programs go.
dpkg -r parta
is "removing takes the programs" [ ! -e /usr/bin/partad ]
is "and keeps configuration and data" [ -s /etc/parta/parta.yaml -a -s /var/lib/parta/parta.db ]
dpkg -P parta 2>/said
is "purging takes the configuration" [ ! -e /etc/parta/parta.yaml ]
is "and keeps the data and the backups, and says so" [ -s /var/lib/parta/parta.db -a -n "$(grep /var/lib/parta /said)" -a -d /var/backups/parta -a -n "$(grep /var/backups/parta /said)" ]
dpkg -i "$new"
cp /kept.yaml /etc/parta/parta.yaml
is "installed again, it has the data" has_school
echo parta parta/erase boolean true | debconf-set-selections
dpkg -P parta
is "purged with a word, nothing is left" [ -z "$(left)" ]
left
nginx -s stop
echo end >&3
