# In the chroot, read by guide.sh: what stands around the machine of the guide, and what others do there in the meantime. Each is called before the block that
# wants it (tests/package/run, AROUND). What shows a fault returns it.

trust() { # NAME: standard input is a certificate
    cat >"/usr/local/share/ca-certificates/$1.crt"
    update-ca-certificates >/dev/null 2>&1
}

certificate() { # NAME: of this machine's own, for that name, into /ca/NAME.{key,crt}, and trusted
    mkdir -p /ca
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \
        -keyout "/ca/$1.key" -out "/ca/$1.crt" 2>/dev/null
    trust "$1" <"/ca/$1.crt"
}

answers() { curl --fail --silent --show-error --retry 60 --retry-all-errors --retry-delay 1 "$1"; } # also until nginx has its new sites

# DNS.
names_lead_here() {
    echo "127.0.0.1 localhost $CHAT $SERVER_NAME" >/etc/hosts
}

# Let's Encrypt: Pebble, which speaks the same protocol (RFC 8555). What the guide says to certbot stays as it is: where the server is, and that it is asked
# without waiting for a random while, is in certbot's own configuration.
acme_server_runs() {
    certificate localhost
    cat >/ca/pebble.json <<JSON
{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": "/ca/localhost.crt",
            "privateKey": "/ca/localhost.key", "httpPort": 80, "tlsPort": 443}}
JSON
    PEBBLE_VA_NOSLEEP=1 PEBBLE_AUTHZREUSE=0 pebble -config /ca/pebble.json >/pebble.log 2>&1 &
    echo $! >/pebble.pid
    answers https://localhost:15000/roots/0 | trust pebble
    printf 'server = https://localhost:14000/dir\nno-random-sleep-on-renew = True\n' >>/etc/letsencrypt/cli.ini
    nginx # which Debian's package has started where units run
}

# The school's website: nginx, with the block that the guide has for it.
school_site_serves() {
    certificate "$SERVER_NAME"
    { printf 'server {\nlisten 443 ssl;\nserver_name %s;\nssl_certificate /ca/%s.crt;\nssl_certificate_key /ca/%s.key;\n' "$SERVER_NAME" "$SERVER_NAME" "$SERVER_NAME"
      cat /well-known.conf
      echo '}'; } >/etc/nginx/sites-enabled/school
    nginx -s reload
    answers "https://$SERVER_NAME/.well-known/matrix/client" >/dev/null
}

# And what was there says where this server is.
school_site_tells() {
    curl --silent --include "https://$SERVER_NAME/.well-known/matrix/client" >/told
    grep -qi '^access-control-allow-origin: \*' /told && grep -qF "\"https://$CHAT\"" /told
}

# Anna opens the link that the guide has printed and chooses a password; once she was confirmed, she signs in.
administrator_comes() {
    python3 /person.py joins "$(grep -o "https://$CHAT/parta/join/[A-Za-z0-9_-]\+" /guide.log | tail -n 1)"
}
administrator_signs_in() {
    [ -z "$(parta claim list)" ]
    python3 /person.py signs-in "https://$CHAT" "$ADMINISTRATOR"
}
