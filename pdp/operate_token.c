/*
 * Operations about revoked tokens: token.list, token.revoke.
 *
 * A step is made and signed by an operator's tool from the list that token.list gave it; here it is
 * compared with the list as it is now and verified as every service will verify it. What the step
 * says is not in the log: entries are pieces of hashes, and whose tokens they mean is not the
 * server's to know.
 */
#include "operate.h"

#include "log.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_MAX   600     /* seconds that a step's time may be from this server's */
#define NUMBERS_MAX 1000000 /* that a step may leave out */

static json_t *digest_json(const struct pep_revocations *list)
{
    char text[PEP_DIGEST_TEXT];
    if (pep_revocations_number(list) == 0)
        return json_null();
    pep_digest_text(pep_revocations_digest(list), text);
    return json_string(text);
}

static int put_place(struct operation *o, const struct pep_revocations *list)
{
    int rc = operate_set(o, "number", json_integer((json_int_t)pep_revocations_number(list)));
    rc |= operate_set(o, "digest", digest_json(list));
    rc |= operate_set(o, "entries", json_integer((json_int_t)pep_revocations_count(list)));
    return rc;
}

/* Entries by kind, and until when the last of them stands. */
static json_t *kinds_json(const struct pep_revocations *list, int64_t *ret_until)
{
    json_int_t count[PEP_REVOCATION_KINDS + 1] = {0};
    int64_t until = 0;
    const struct pep_revocation *e;
    for (size_t i = 0; (e = pep_revocations_at(list, i)) != NULL; i++) {
        count[e->kind]++;
        until = e->until > until ? e->until : until;
    }
    *ret_until = until;
    return json_pack("{s:I, s:I, s:I}", "jti", count[PEP_REVOKE_JTI], "sid", count[PEP_REVOKE_SID],
                     "subject", count[PEP_REVOKE_SUBJECT]);
}

int operate_token_list(struct operation *o)
{
    const struct pep_revocations *list = revoked_list(o->server->revoked);
    struct pep_span step = pep_revocations_step(list);
    int64_t until = 0;
    int rc = put_place(o, list);
    rc |= operate_set(o, "kinds", kinds_json(list, &until));
    rc |= operate_set(o, "created", json_integer(pep_revocations_created(list)));
    rc |= operate_set(o, "expires", json_integer(until));
    rc |= operate_set(o, "signed", json_boolean(revoked_signed(o->server->revoked)));
    rc |= operate_set(o, "step", json_integer((json_int_t)step.size));
    pep_put_span(&o->out, step);
    pep_revocations_put_set(list, &o->out);
    if (rc != 0 || o->out.failed)
        return operate_refuse(o, "failed", "", "no memory for the answer");
    return 0;
}

/* ---- revoke ---- */

static int conflict(struct operation *o)
{
    const struct pep_revocations *list = revoked_list(o->server->revoked);
    return operate_refuse(o, "conflict", "try again: policyctl does it by itself",
                          "the list of revoked tokens is at step %llu, yours does not follow it",
                          (unsigned long long)pep_revocations_number(list));
}

/* The list that the request says it follows. */
static int compare(struct operation *o)
{
    const struct pep_revocations *list = revoked_list(o->server->revoked);
    uint8_t digest[PEP_SHA256_SIZE] = {0};
    json_int_t number = -1;
    if (operate_integer(o, "number", (json_int_t)PEP_VERSION_MAX, &number) != 0)
        return PEP_EINVAL;
    const char *text = operate_text(o, "digest", PEP_DIGEST_TEXT, "");
    if (text == NULL)
        return PEP_EINVAL;
    if (number < 0 || (number == 0) != (text[0] == '\0') ||
        (number > 0 && pep_digest_parse(pep_span_string(text), digest) != 0))
        return operate_refuse(o, "usage", "",
                              "`number` and `digest` must be those of the list that the step "
                              "follows");
    if ((uint64_t)number != pep_revocations_number(list) ||
        memcmp(digest, pep_revocations_digest(list), sizeof(digest)) != 0)
        return conflict(o);
    return 0;
}

static int refuse_step(struct operation *o, int rc, const struct pep_error *err)
{
    switch (rc) {
    case PEP_EROLLBACK:
        return conflict(o);
    case PEP_ESTATE:
        return operate_refuse(o, "no_root", "policyctl root init", "%s", pep_error_text(err));
    case PEP_ESIGNATURE:
        return operate_refuse(o, "refused",
                              "sign with a key that the root names for it: policyctl root show",
                              "%s", pep_error_text(err));
    case PEP_ELIMIT:
        return operate_refuse(o, "too_large", "revoke by subject, or wait until tokens end", "%s",
                              pep_error_text(err));
    case PEP_EFORMAT:
        return operate_refuse(o, "refused", "policyctl token revoke makes a step", "%s",
                              pep_error_text(err));
    default:
        return operate_failed(o, rc, err);
    }
}

/* A signer's mistake or malice must not use up the numbers. */
static int check_number(struct operation *o, const struct pep_revocations *next)
{
    uint64_t from = pep_revocations_number(revoked_list(o->server->revoked));
    uint64_t to = pep_revocations_number(next);
    if (to - from <= NUMBERS_MAX)
        return 0;
    return operate_refuse(o, "refused", "is this the pdpd that was restored?",
                          "step %llu leaves out more than %d numbers after step %llu",
                          (unsigned long long)to, NUMBERS_MAX, (unsigned long long)from);
}

static int check_time(struct operation *o, const struct pep_revocations *next)
{
    int64_t ahead = pep_revocations_created(next) - o->now_ms / 1000;
    if (ahead >= -CLOCK_MAX && ahead <= CLOCK_MAX)
        return 0;
    return operate_refuse(o, "refused", "set this machine's clock and pdpd's (NTP)",
                          "the step was made %lld s %s by this server's clock; at most %d s",
                          (long long)(ahead < 0 ? -ahead : ahead),
                          ahead < 0 ? "ago" : "in the future", CLOCK_MAX);
}

static int take(struct operation *o, struct pep_revocations *next)
{
    struct server *s = o->server;
    struct pep_error err = PEP_ERROR_INIT;
    unsigned long long number = pep_revocations_number(next);
    size_t added = pep_revocations_added(next), count = pep_revocations_count(next);
    snprintf(o->what, sizeof(o->what), "step %llu, %zu entries, %zu in all", number, added, count);
    struct store_audit audit = operate_audit(o, "ok");
    int rc = server_stored(s, revoked_take(s->revoked, next, o->now_ms, &audit, &err));
    if (rc != 0)
        return operate_failed(o, rc, &err);
    publisher_beacon(s->publisher); /* every bundle's clients hear of it now */
    revoked_measure(s->revoked, &s->metrics);
    log_info("revoked tokens: step %llu by %s: %zu entries, %zu in all", number, o->op->name, added,
             count);
    return put_place(o, revoked_list(s->revoked));
}

int operate_token_revoke(struct operation *o)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_revocations *next = NULL;
    const struct pep_revocations *list = revoked_list(o->server->revoked);
    snprintf(o->what, sizeof(o->what), "a step of %zu bytes", o->bytes.size);
    if (o->bytes.size == 0)
        return operate_refuse(o, "usage", "", "the signed step is missing from the request");
    if (o->bytes.size > PEP_REVOCATION_STEP_SIZE)
        return operate_refuse(o, "too_large", "revoke fewer at once", "a step has at most %d bytes",
                              PEP_REVOCATION_STEP_SIZE);
    if (pep_span_equal(o->bytes, pep_revocations_step(list)))
        return put_place(o, list); /* it is there already: an answer may have been lost */
    int rc = compare(o);
    if (rc != 0)
        return rc;
    rc = revoked_check(o->server->revoked, o->bytes, &next, &err);
    if (rc != 0)
        return refuse_step(o, rc, &err);
    rc = check_time(o, next);
    if (rc == 0)
        rc = check_number(o, next);
    if (rc != 0) {
        pep_revocations_free(next);
        return rc;
    }
    return take(o, next);
}
