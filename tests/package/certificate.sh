# In the chroot, read by guide.sh where the guide asks Let's Encrypt: a certificate of this machine's own, where certbot puts its.
live=/etc/letsencrypt/live/$CHAT
mkdir -p "$live"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$CHAT" -addext "subjectAltName=DNS:$CHAT" \
    -keyout "$live/privkey.pem" -out "$live/fullchain.pem" 2>/dev/null
cp "$live/fullchain.pem" /usr/local/share/ca-certificates/test.crt
update-ca-certificates >/dev/null
echo "127.0.0.1 $CHAT" >>/etc/hosts
