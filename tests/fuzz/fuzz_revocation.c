/*
 * Revoked tokens and relayed keys, as they come from a server that nobody trusts. The first byte
 * picks the way in. Behind a signature nothing could be reached by mutation, so that most ways sign
 * what they get with the right key first, and hold what is accepted to what must be true of it.
 */
#include "tests/support/feeds.h"

#include "pep/fed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture f;
static struct pep_signers revokers;
static struct pep_revocations *none, *some; /* `some`: step 2, two entries */
static struct pep_issuers *issuers;         /* the first relayed, the second pinned as well */

#define PIN "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" /* of the key of RFC 8037 */
#define RELAYED(name)                                                                      \
    "{\"issuer\":\"" name "\",\"audiences\":[\"a\"],\"algorithms\":[\"EdDSA\",\"ES256\"]," \
    "\"jwks_uri\":\"" name "/jwks\",\"keys\":\"relayed\",\"keys_max_age\":60,\"allow\":{}"

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* ---- lists ---- */

/* Sorted, found, and written as it was read. */
static void check_list(const struct pep_revocations *list)
{
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    struct pep_revocations *again = NULL;
    size_t count = pep_revocations_count(list);
    check(count <= PEP_REVOCATIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct pep_revocation *e = pep_revocations_at(list, i);
        struct pep_revocation other = *e;
        check(pep_revocations_find(list, e->key) == e);
        other.key[15] ^= 1;
        const struct pep_revocation *near = pep_revocations_find(list, other.key);
        check(near == NULL || (near != e && memcmp(near->key, other.key, sizeof(other.key)) == 0));
        check(e->kind >= PEP_REVOKE_JTI && e->kind <= PEP_REVOCATION_KINDS && e->until > 0);
    }
    pep_revocations_put_set(list, &set);
    check(!set.failed && set.size == count * PEP_REVOCATION_ENTRY);
    check(pep_revocations_keep(pep_buffer_span(&set), &again, NULL) == PEP_OK);
    check(pep_revocations_count(again) == count && pep_revocations_number(again) == 0);
    pep_revocations_free(again);
    pep_buffer_free(&set);
}

static void whole_set(struct pep_span in)
{
    struct pep_revocations *list = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    int r = pep_revocations_keep(in, &list, &err);
    check((list != NULL) == (r == PEP_OK) && err.code == r);
    if (list != NULL) {
        check_list(list);
        pep_revocations_put_set(list, &set);
        check(pep_span_equal(pep_buffer_span(&set), in));
    }
    pep_revocations_free(list);
    pep_buffer_free(&set);
}

/* The two roads to one list: step by step, and whole. */
static void check_roads(const struct pep_revocations *next, struct pep_span step)
{
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    struct pep_revocations *whole = NULL;
    uint64_t number = pep_revocations_number(next);
    pep_revocations_put_set(next, &set);
    check(pep_revocations_adopt(step, pep_buffer_span(&set), number - 1, &revokers, &whole, NULL) ==
          PEP_OK);
    check(pep_revocations_number(whole) == number);
    check(memcmp(pep_revocations_digest(whole), pep_revocations_digest(next), PEP_SHA256_SIZE) ==
          0);
    pep_revocations_free(whole);
    check(pep_revocations_adopt(step, pep_buffer_span(&set), number, &revokers, &whole, NULL) ==
          PEP_EROLLBACK);
    pep_buffer_free(&set);
}

static int follow(const struct pep_revocations *current, struct pep_span step)
{
    struct pep_revocations *next = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_revocations_follow(current, step, &revokers, &next, &err);
    check((next != NULL) == (r == PEP_OK) && err.code == r);
    if (next != NULL) {
        check(pep_revocations_number(next) > pep_revocations_number(current));
        check(pep_revocations_created(next) >= pep_revocations_created(current));
        check_list(next);
        check_roads(next, step);
    }
    pep_revocations_free(next);
    return r;
}

static struct pep_buffer sign(const char *type, struct pep_span body,
                              const struct pep_private_key *key)
{
    struct pep_buffer out = pep_buffer_of(PEP_REPLY_MAX);
    check(pep_compact_sign(type, body, key, &out) == PEP_OK);
    return out;
}

/* A step's body, whatever it is. */
static void signed_step(struct pep_span in)
{
    if (in.size > PEP_REVOCATION_STEP_SIZE)
        return;
    struct pep_buffer step = sign(PEP_TYPE_REVOKED, in, f.policy_key);
    struct pep_buffer strange = sign(PEP_TYPE_REVOKED, in, f.beacon_key);
    struct pep_buffer other = sign(PEP_TYPE_KEYS, in, f.policy_key);
    check(follow(none, pep_buffer_span(&step)) != PEP_OK ||
          follow(some, pep_buffer_span(&step)) != PEP_OK);
    check(follow(none, pep_buffer_span(&strange)) == PEP_ESIGNATURE);
    check(follow(none, pep_buffer_span(&other)) == PEP_ESIGNATURE);
    pep_buffer_free(&step);
    pep_buffer_free(&strange);
    pep_buffer_free(&other);
}

/* A message with its signature: only a seed's is good. */
static void raw_step(struct pep_span in)
{
    follow(none, in);
    follow(some, in);
}

/* Entries as they travel: what an operator may ask for becomes a step that can be followed. */
static void new_step(struct pep_span in)
{
    static struct pep_revocation entries[PEP_REVOCATION_STEP];
    struct pep_cursor c = pep_cursor_of(in);
    int64_t created = (int64_t)(pep_get_u64(&c) >> 11);
    size_t count = 0;
    while (count < PEP_REVOCATION_STEP && (size_t)(c.end - c.at) >= PEP_REVOCATION_ENTRY) {
        struct pep_revocation *e = &entries[count++];
        e->kind = pep_get_u8(&c);
        pep_get_copy(&c, e->key, sizeof(e->key));
        e->before = (int64_t)pep_get_u64(&c);
        e->until = (int64_t)pep_get_u64(&c);
    }
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_revocation_step_write(some, created, entries, count, &body, &err);
    check(err.code == r);
    if (r == PEP_OK) {
        struct pep_buffer step = sign(PEP_TYPE_REVOKED, pep_buffer_span(&body), f.policy_key);
        check(follow(some, pep_buffer_span(&step)) == PEP_OK);
        check(follow(none, pep_buffer_span(&step)) == PEP_EROLLBACK);
        pep_buffer_free(&step);
    }
    pep_buffer_free(&body);
}

/* ---- keys ---- */

static void key_set(struct pep_span in)
{
    static const uint8_t nothing[64];
    for (size_t i = 0; i < 2; i++) {
        const struct pep_issuer *issuer = pep_issuers_at(issuers, i);
        struct pep_jwks *keys = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        int r = pep_issuer_read_relayed(issuer, in, &keys, &err);
        check((keys != NULL) == (r == PEP_OK));
        check(err.code == r && (r != PEP_OK || pep_jwks_count(keys) > 0));
        for (size_t k = 0; k < pep_jwks_count(keys); k++) {
            const struct pep_jwk *key = pep_jwks_at(keys, k);
            check(pep_jwk_algorithm(key) != PEP_ALG_NONE);
            check(i == 0 || strcmp(pep_jwk_thumbprint(key), PIN) == 0);
            check(pep_jwks_has(keys, pep_jwk_thumbprint(key), pep_jwk_algorithm(key)));
            check(!pep_jwk_verify(key, pep_jwk_algorithm(key), in, pep_span_of(nothing, 64)));
        }
        pep_jwks_free(keys);
    }
}

/* The body of a KEYS message, whatever it is. */
static void signed_keys(struct pep_span in)
{
    struct pep_fed fed = {NULL, NULL};
    const struct pep_keys_origin origin = {f.root, "acme", NULL, {FIXTURE_NOW * 1000, 5000}};
    struct pep_buffer message = sign(PEP_TYPE_KEYS, in, f.beacon_key);
    struct pep_buffer strange = sign(PEP_TYPE_KEYS, in, f.policy_key);
    check(pep_fed_take_keys(&fed, pep_buffer_span(&strange), &origin) == PEP_ESIGNATURE);
    check(fed.keys == NULL);
    if (pep_fed_take_keys(&fed, pep_buffer_span(&message), &origin) == PEP_OK) {
        struct pep_span jwks;
        struct pep_moment seen;
        check(strcmp(fed.keys->keys.bundle, "acme") == 0);
        if (pep_fed_issuer(&fed, "https://a", &jwks, &seen) == PEP_OK) {
            check(seen.wall_ms <= origin.asked.wall_ms && seen.boot_ms <= origin.asked.boot_ms);
            key_set(jwks);
        }
    }
    pep_fed_clear(&fed);
    pep_buffer_free(&message);
    pep_buffer_free(&strange);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const char text[] =
        "[" RELAYED("https://a") "}," RELAYED("https://b") ",\"key_thumbprints\":[\"" PIN "\"]}]";
    f = fixture_new();
    revokers = pep_root_revokers(f.root);
    check(pep_revocations_none(&none) == PEP_OK && pep_revocations_none(&some) == PEP_OK);
    struct pep_revocation a = feeds_entry(PEP_REVOKE_JTI, "https://a", "a", FIXTURE_NOW);
    struct pep_revocation b = feeds_entry(PEP_REVOKE_SUBJECT, "https://a", "b", FIXTURE_EXPIRES);
    b.before = FIXTURE_CREATED;
    feeds_revoke(&f, &some, &a);
    feeds_revoke(&f, &some, &b);
    check(pep_issuers_read(pep_span_string(text), "issuers.json", &issuers, NULL, NULL) == PEP_OK);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(struct pep_span) = {whole_set, raw_step, signed_step,
                                                    new_step,  key_set,  signed_keys};
    if (size > 0 && data[0] - '0' >= 0 && (size_t)(data[0] - '0') < sizeof(ways) / sizeof(ways[0]))
        ways[data[0] - '0'](pep_span_of(data + 1, size - 1));
    return 0;
}
