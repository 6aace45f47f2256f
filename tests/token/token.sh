# token sign, verify, inspect and key generate --use token: what they print, what they refuse, and the
# exit codes. What makes a token invalid is tested in tests/unit/test_jwt*.c; here only that the verbs
# pass it on.
. "$2/tests/author/kit.sh"
cd "$work"

# --- keys ---
run 0 generate "$policyctl" key generate idp --use token
[ "$(stat -c %a idp.jwk)" = 600 ] || { echo "FAIL idp.jwk is not 0600"; failures=1; }
lacks "public half" err "error"
run 0 "public keys" cat idp.jwks
lacks "public keys" out '"d"'
has "public keys" out '"alg": "ES256"'
run 1 "never overwritten" "$policyctl" key generate idp --use token
has "never overwritten" err "exists already"
rm idp.jwks
run 1 "half a pair" "$policyctl" key generate idp --use token
[ ! -e idp.jwks ] || { echo "FAIL a public file was left without its private one"; failures=1; }
rm idp.jwk
run 0 again "$policyctl" key generate idp --use token
run 2 "unknown algorithm" "$policyctl" key generate x --use token --alg HS256
run 2 "alg of a policy key" "$policyctl" key generate x --alg ES256
run 2 "unknown use" "$policyctl" key generate x --use mail
run 2 "a path for a name" "$policyctl" key generate ../x --use token
for alg in RS256 PS384 ES512 EdDSA; do
    file=k$(echo $alg | tr 'A-Z' 'a-z')
    run 0 "$alg" "$policyctl" key generate "$file" --use token --alg $alg
    run 0 "$alg" "$policyctl" token sign --key "$file.jwk" --claims '{"iss":"i","aud":"a"}'
    cp out "$file.jwt"
    run 0 "$alg" "$policyctl" token verify --keys "$file.jwks" --issuer i --audience a "$file.jwt"
    run 7 "$alg, other keys" "$policyctl" token verify --keys idp.jwks --issuer i --audience a "$file.jwt"
done

# --- sign and verify ---
sign() { "$policyctl" token sign --key idp.jwk "$@"; }
verify() { "$policyctl" token verify --keys idp.jwks --issuer https://i --audience a "$@"; }
base='"iss":"https://i","aud":"a","sub":"ann"'
sign --claims "{$base}" >good.jwt
run 0 good verify good.jwt
has good out '"sub": "ann"'
sign --claims "{$base}" --ttl 1h >hour.jwt
now=$(date +%s)
run 0 "within its hour" verify --at $((now + 3500)) hour.jwt
run 7 "after its hour" verify --at $((now + 3700)) hour.jwt
has "after its hour" err "expired"
[ ! -s out ] || { echo "FAIL claims of a refused token were printed"; failures=1; }
run 0 leeway verify --at $((now + 3620)) --leeway 60 hour.jwt
run 2 "leeway too large" verify --leeway 61 hour.jwt
run 7 "ten minutes by default" verify --at $((now + 700)) good.jwt
run 7 audience "$policyctl" token verify --keys idp.jwks --issuer https://i --audience b good.jwt
has audience err "audience"
run 0 "one of several" verify --audience b good.jwt
run 7 issuer "$policyctl" token verify --keys idp.jwks --issuer https://i/ --audience a good.jwt
has issuer err "issuer"
sign --claims "{$base,\"exp\":null}" >forever.jwt
run 7 "without exp" verify forever.jwt
has "without exp" err '`exp` is missing'
sign --claims "{$base}" --header '{"alg":"none"}' >none.jwt
run 7 none verify none.jwt
echo "{$base,\"n\":1}" >claims.json
run 0 "claims from a file" sign --claims @claims.json
printf 'x.y' >broken.jwt
run 7 broken verify broken.jwt
: >empty.jwt
run 7 empty verify empty.jwt
head -c 2000000 /dev/zero >huge.jwt
run 7 huge verify huge.jwt
printf ' %s' "$(cat good.jwt)" >space.jwt
run 7 "a space before" verify space.jwt
code=0
verify - <good.jwt >out 2>err || code=$?
[ $code = 0 ] || { echo "FAIL from standard input: $code"; failures=1; }

# --- the signature alone ---
run 0 "signature only" "$policyctl" token verify --keys idp.jwks --signature-only hour.jwt
payload=$(cut -d. -f2 hour.jwt | tr '_-' '/+')
while [ $((${#payload} % 4)) != 0 ]; do payload=$payload=; done
echo "$payload" | base64 -d >payload
cmp -s payload out || { echo "FAIL --signature-only does not print the payload's bytes"; failures=1; }
run 0 "also when expired" "$policyctl" token verify --keys idp.jwks --signature-only --at 9999999999 hour.jwt

# --- bound tokens ---
run 0 "a proof's key" "$policyctl" key generate client --use token
jwk=$(sed -n 's/^ *"x": "\([^"]*\)".*/\1/p; s/^ *"y": "\([^"]*\)".*/\1/p' client.jwks | paste -sd' ')
x=${jwk% *} y=${jwk#* }
jkt=$(printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$x" "$y" | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=')
sign --claims "{$base,\"cnf\":{\"jkt\":\"$jkt\"}}" >bound.jwt
ath=$(printf %s "$(cat bound.jwt)" | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=')
"$policyctl" token sign --key client.jwk \
    --header "{\"typ\":\"dpop+jwt\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"$x\",\"y\":\"$y\"}}" \
    --claims "{\"jti\":\"1\",\"htm\":\"GET\",\"htu\":\"https://api.example/a\",\"ath\":\"$ath\"}" >proof.jwt
run 7 "bound, alone" verify bound.jwt
has "bound, alone" err "proof_absent"
has "bound, alone" err "--dpop FILE"
run 0 "bound, with its proof" verify --dpop proof.jwt --method GET --uri 'https://API.example:443/a?x=1' bound.jwt
run 7 "bound, another method" verify --dpop proof.jwt --method POST --uri https://api.example/a bound.jwt
has "bound, another method" err "made for method"
run 7 "a proof for an unbound token" verify --dpop proof.jwt --method GET --uri https://api.example/a good.jwt
run 2 "a proof without its request" verify --dpop proof.jwt bound.jwt
run 0 "inspect bound" "$policyctl" token inspect bound.jwt
has "inspect bound" out "DPoP proof for each request"

# --- usage ---
run 2 "no keys" "$policyctl" token verify --issuer i --audience a good.jwt
has "no keys" err "--keys"
run 2 "no audience" "$policyctl" token verify --keys idp.jwks --issuer i good.jwt
run 2 "no such file" verify nothing.jwt
run 2 "no key" "$policyctl" token sign --claims '{}'
run 2 "claims are not JSON" sign --claims '{'
run 2 "claims twice" sign --claims '{"sub":"a","sub":"b"}'
run 2 "claims are a list" sign --claims '[]'
run 1 "a public key cannot sign" "$policyctl" token sign --key idp.jwks --claims '{}'
run 7 "private keys are no key set" "$policyctl" token verify --keys idp.jwk --issuer i --audience a good.jwt
has "private keys are no key set" err "private key"

# --- inspect ---
sign --claims "{$base}" --ttl 570s >short.jwt
run 0 inspect "$policyctl" token inspect short.jwt
has inspect out "not verified"
has inspect out "in 9m"
run 0 "inspect with keys" "$policyctl" token inspect --keys idp.jwks good.jwt
has "inspect with keys" out "the signature holds"
run 7 "inspect, other keys" "$policyctl" token inspect --keys kes512.jwks good.jwt
has "inspect, other keys" out "not valid"
run 0 "inspect none" "$policyctl" token inspect none.jwt
has "inspect none" out "none that is accepted"
run 0 "inspect json" "$policyctl" token inspect -o json good.jwt
has "inspect json" out '"verified": "no"'
run 7 "inspect broken" "$policyctl" token inspect broken.jwt
mkdir policy
printf '[{"issuer":"https://i","audiences":["a"],"algorithms":["ES256"],"jwks":%s}]' \
    "$(cat idp.jwks)" >policy/issuers.json
run 0 "inspect by policy" "$policyctl" token inspect --policy policy good.jwt
has "inspect by policy" out "accepted by this policy"
run 7 "inspect by policy, later" "$policyctl" token inspect --policy policy --at 9999999999 good.jwt
cat >policy/bundle.json <<'END'
{"name": "demo", "max_stale": 86400, "expires_days": 90}
END
mkdir policy/policies
cat >policy/policies/a.lua <<'END'
allow "a" { action = "read", resource = "doc", roles = "reader",
  when = function(sub, res) return same(sub.tenant, res.tenant) and multi_factor(sub.amr) end }
deny "b" { action = "read", resource = "doc", when = function(sub) return sub.tenant == nil end }
END
sign --claims "{$base,\"roles\":[\"reader\"],\"tenant\":\"acme\"}" >ann.jwt
run 0 "inspect by rules" "$policyctl" token inspect --policy policy ann.jwt
has "inspect by rules" out 'sub.amr          MISSING (1 rule)'
has "inspect by rules" out 'sub.roles        ["reader"] (1 rule)'
has "inspect by rules" out 'sub.tenant       "acme" (2 rules)'
lacks "inspect by rules" out 'sub.id '
run 0 "inspect by rules, json" "$policyctl" token inspect --policy policy -o json ann.jwt
has "inspect by rules, json" out '"name": "sub.amr"'
has "inspect by rules, json" out '"value": null'
run 2 "inspect, no server" "$policyctl" token inspect --live ann.jwt
run 2 "inspect, no policy" "$policyctl" token inspect --policy nowhere good.jwt
finish
