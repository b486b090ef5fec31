#!/usr/bin/env bash
# pki.sh DIR [stranger]: root -> intermediate -> server and client leaf, for P-256 (ec), RSA-2048 (rsa) and Ed25519.
# A stranger's client chain goes with them: the same names, from authorities of its own that nobody trusts.
# By openssl rather than by us, so that every proxy is measured with certificates none of them made.
set -eu
dir=${1:?usage: pki.sh DIR [stranger]}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$dir"
cd "$dir"
key() {
    case $1 in
    ec) openssl ecparam -name prime256v1 -genkey -noout ;;
    rsa) openssl genrsa 2048 2>/dev/null ;;
    ed25519) openssl genpkey -algorithm ed25519 ;;
    esac
}
for alg in ec rsa ed25519; do
    for who in root inter server client; do
        (umask 077 && key $alg | openssl pkcs8 -topk8 -nocrypt >"$alg-$who.key")
    done
    openssl req -x509 -new -key $alg-root.key -subj "/CN=bench $alg root" -days 3650 \
        -out $alg-root.crt -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -new -key $alg-inter.key -subj "/CN=bench $alg intermediate" |
        openssl x509 -req -CA $alg-root.crt -CAkey $alg-root.key -CAcreateserial -days 3650 \
            -out $alg-inter.crt -extfile <(
                printf 'basicConstraints=critical,CA:TRUE,pathlen:0\n'
                printf 'keyUsage=critical,keyCertSign,cRLSign\n'
                printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
            ) 2>/dev/null
    for who in server client; do
        openssl req -new -key $alg-$who.key -subj "/CN=bench $who" |
            openssl x509 -req -CA $alg-inter.crt -CAkey $alg-inter.key -CAcreateserial -days 365 \
                -out $alg-$who.crt -extfile <(
                    printf 'basicConstraints=critical,CA:FALSE\n'
                    printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=%sAuth\n' $who
                    printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
                    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,URI:spiffe://bench.test/%s\n' $who
                ) 2>/dev/null
        cat $alg-$who.crt $alg-inter.crt >$alg-$who.chain
        (umask 077 && cat $alg-$who.chain $alg-$who.key >$alg-$who.pem)
        mkdir -p $alg-$who
        cp $alg-$who.chain $alg-$who/tls.crt
        cp -p $alg-$who.key $alg-$who/tls.key
        cp $alg-root.crt $alg-$who/ca.crt
    done
done
# once more for the stranger, and only its client is kept
if [ "${2:-}" != stranger ]; then
    "$here/pki.sh" strangers stranger
    for alg in ec rsa ed25519; do
        for file in chain key; do
            cp -p strangers/$alg-client.$file $alg-stranger.$file
        done
    done
fi
