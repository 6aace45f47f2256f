/*
 * A handle that decides by an inline and a relayed issuer, and whose agent has been stopped: the
 * test itself hands over what comes beside bundles, as the agent does. Header only: see failing.h.
 */
#ifndef TESTS_UNIT_FED_SCENE_H
#define TESTS_UNIT_FED_SCENE_H

#include "tests/support/feeds.h"
#include "tests/support/scene.h"

#include "pep/core/jwt.h"
#include "pep/handle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define RELAYED "https://relayed.test"
#define KEYS    3
#define MAX_AGE 600

static const char fed_policy[] = "allow 'doc.read' { action = 'read', resource = 'doc' }\n";

static struct {
    struct scene scene;
    pep *p;
    json_t *jwk[KEYS]; /* "k0".."k2", private */
    struct pep_jwk_private *key[KEYS];
    struct pep_fed fed;
    uint64_t seq;
} w;

static inline void add_relayed_issuer(void)
{
    json_t *table = json_loads(w.scene.issuers, 0, NULL);
    json_t *relayed =
        json_pack("{s:s, s:[s], s:[s,s,s], s:s, s:s, s:i, s:{}}", "issuer", RELAYED, "audiences",
                  SCENE_AUDIENCE, "algorithms", "EdDSA", "RS256", "PS256", "jwks_uri",
                  RELAYED "/jwks", "keys", "relayed", "keys_max_age", MAX_AGE, "allow");
    assert_int_equal(json_array_append_new(table, relayed), 0);
    json_object_set_new(json_array_get(table, 0), "allow", json_object());
    free(w.scene.issuers);
    w.scene.issuers = json_dumps(table, 0);
    json_decref(table);
}

static inline int fed_set_up(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    w.scene = scene_new();
    add_relayed_issuer();
    for (size_t i = 0; i < KEYS; i++) {
        char kid[8];
        snprintf(kid, sizeof(kid), "k%zu", i);
        assert_int_equal(pep_jwk_generate(PEP_ALG_EDDSA, kid, &w.jwk[i]), PEP_OK);
        assert_int_equal(pep_jwk_private_read(w.jwk[i], &w.key[i], &err), PEP_OK);
    }
    scene_put_version(&w.scene, 1, fed_policy);
    w.p = scene_open(&w.scene);
    pep_agent_stop(w.p); /* from here on we are it */
    w.seq = 0;
    return pep_fed_new(&w.fed);
}

static inline int fed_tear_down(void **state)
{
    (void)state;
    pep_close(w.p);
    pep_fed_clear(&w.fed);
    for (size_t i = 0; i < KEYS; i++) {
        pep_jwk_private_free(w.key[i]);
        json_decref(w.jwk[i]);
    }
    scene_free(&w.scene);
    return 0;
}

/* ---- what comes ---- */

static inline void revoke_one(enum pep_revocation_kind kind, const char *value, int64_t before)
{
    struct pep_revocation e = feeds_entry(kind, SCENE_ISSUER, value, FIXTURE_EXPIRES);
    e.before = before;
    feeds_revoke(&w.scene.fixture, &w.fed.revocations, &e);
}

/* The relayed issuer's keys are these, as JWKS text, seen `age` seconds ago. */
static inline void take_jwks(const char *jwks, int64_t age)
{
    const struct feeds_keys one = {RELAYED, jwks, 1000};
    struct feeds_keys_head head = {.seq = ++w.seq, .issued_at = 1000 + age * 1000};
    struct pep_keys_origin origin = {w.scene.fixture.root, "acme", NULL, pep_moment_now()};
    struct pep_buffer message = feeds_keys(&head, &one, 1, w.scene.fixture.beacon_key);
    assert_int_equal(pep_fed_take_keys(&w.fed, pep_buffer_span(&message), &origin), PEP_OK);
    pep_buffer_free(&message);
}

/* The same from a set of w.jwk: bit i. */
static inline void take_keys(unsigned which, int64_t age)
{
    json_t *all = json_array();
    for (size_t i = 0; i < KEYS; i++) {
        json_t *set = (which & 1U << i) == 0 ? NULL : pep_jwk_public_set(w.jwk[i]);
        json_array_extend(all, json_object_get(set, "keys"));
        json_decref(set);
    }
    json_t *set = json_pack("{s:o}", "keys", all);
    char *text = json_dumps(set, 0);
    take_jwks(text, age);
    free(text);
    json_decref(set);
}

static inline void hand_over(void)
{
    assert_int_equal(pep_handle_feed(w.p, &w.fed), PEP_OK);
}

static inline void activate_version(uint64_t version)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_moment now = pep_moment_now();
    struct pep_bundle *bundle = NULL;
    struct pep_manifest_draft draft = fixture_manifest_draft(version);
    struct pep_buffer bytes = scene_bundle(&w.scene, &draft, fed_policy, NULL, 0);
    assert_int_equal(
        pep_bundle_open(pep_buffer_span(&bytes), w.scene.fixture.root, FIXTURE_NOW, &bundle, &err),
        PEP_OK);
    assert_int_equal(pep_handle_activate(w.p, bundle, &now, true, &err), PEP_OK);
    pep_bundle_free(bundle);
    pep_buffer_free(&bytes);
}

/* ---- tokens ---- */

/* Of the relayed issuer, by this key. Freed by the caller. */
static inline char *relayed_token(const struct pep_jwk_private *key, const char *sub)
{
    char claims[512];
    struct pep_buffer out = pep_buffer_of(PEP_TOKEN_MAX);
    struct pep_error err = PEP_ERROR_INIT;
    size_t size;
    long long now = (long long)time(NULL);
    snprintf(claims, sizeof(claims),
             "{\"iss\":\"" RELAYED "\",\"aud\":\"" SCENE_AUDIENCE
             "\",\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
             sub, now, now + 600);
    assert_int_equal(pep_jwt_sign(key, NULL, pep_span_string(claims), &out, &err), PEP_OK);
    return (char *)pep_buffer_take(&out, &size);
}

/* PEP_JWT_OK: it is allowed. Else it is denied with bad_token and this reason. */
static inline void expect_token_reason(const char *token, enum pep_jwt_reason reason)
{
    pep_decision d = PEP_DECISION_INIT;
    bool allowed = pep_check(w.p, token, "read", "doc:1", NULL, &d);
    if (allowed != (reason == PEP_JWT_OK))
        fail_msg("%s: %s", pep_jwt_reason_name(reason), d.reason);
    assert_int_equal(d.allowed, allowed);
    assert_int_equal(d.code, allowed ? PEP_CODE_ALLOWED : PEP_CODE_BAD_TOKEN);
    if (!allowed)
        assert_string_equal(d.reason, pep_jwt_reason_text(reason));
    assert_int_equal(pep_allow(w.p, token, "read", "doc:1"), allowed);
    pep_decision_clear(&d);
}

#endif
