/*
 * What may come in any state: notices, statements about this client's key, refused handshakes; and
 * the two watches, over the clocks and over silence. They note what they learn and ask for what
 * follows from it at once; whether it is time for a question is for the state functions to say.
 */
#include "pep/sync_state.h"

#include <string.h>
#include <syslog.h>

void pep_sync_on_notice(struct pep_sync *s, const struct pep_sync_event *e)
{
    struct pep_notice n;
    int rc = pep_sync_read_notice(s, e->frames, e->count, &n);
    if (rc == PEP_ESIGNATURE && s->phase == PEP_SYNC_IDLE &&
        s->now.boot_ms - s->last_answer >= SILENCE)
        s->next_fetch = s->now.boot_ms; /* perhaps signed by a key of a root that I lack */
    if (rc != PEP_OK)
        return;
    s->last_beacon = s->now.boot_ms;
    s->resubscribe_after = RESUBSCRIBE_MIN;
    s->hint = n.head;
    s->hint_seq = n.seq;
    if (n.root > pep_root_version(s->root) && s->phase == PEP_SYNC_IDLE)
        s->next_fetch = s->now.boot_ms;
    struct pep_head mine = pep_sync_head(s);
    if (s->running == NULL || !s->anchored || !pep_head_equal(&n.head, &mine))
        return;
    int64_t made = s->anchor.boot_ms + (n.issued_at - s->anchor_issued_at);
    int64_t late = s->now.boot_ms > made ? s->now.boot_ms - made : 0;
    struct pep_moment at = {s->now.wall_ms - late, s->now.boot_ms - late};
    pep_sync_prove(s, at);
}

void pep_sync_on_statement(struct pep_sync *s, const struct pep_sync_event *e)
{
    static const char *const texts[] = {
        [PEP_STATEMENT_REVOKED] = "this client's key is revoked: everything is denied; enrol anew",
        [PEP_STATEMENT_SUSPENDED] = "this client is suspended: everything is denied until resumed",
        [PEP_STATEMENT_RESUMED] = "this client is resumed",
    };
    struct pep_statement st;
    if (e->count != 1 || pep_sync_read_statement(s, e->frames[0], &st) != PEP_OK)
        return;
    s->memory.statement_seq = st.seq;
    if (s->memory.statement != PEP_STATEMENT_REVOKED)
        s->memory.statement = st.kind; /* a revoked key never comes back */
    pep_sync_emit(s, PEP_ACTION_STATE, 0, NULL);
    pep_sync_emit(s, PEP_ACTION_SAVE, 0, NULL);
    if (s->memory.statement == PEP_STATEMENT_RESUMED) {
        pep_sync_emit(s, PEP_ACTION_LOG, LOG_NOTICE, texts[s->memory.statement]);
        return;
    }
    pep_sync_emit(s, PEP_ACTION_HANGUP, 0, NULL); /* the operator waits for this */
    s->rebuild = true;
    if (s->phase != PEP_SYNC_WAITING && s->phase != PEP_SYNC_ACTIVATING)
        pep_sync_fail(s, PEP_EDENIED, texts[s->memory.statement]);
}

void pep_sync_on_link_refused(struct pep_sync *s)
{
    /* Anyone on the path can fake this. The socket is dead (libzmq does not retry), so build a new
     * one after a pause; meanwhile the policy ages like after any other loss. */
    s->rebuild = true;
    if (s->phase == PEP_SYNC_IDLE || s->phase == PEP_SYNC_ASKING || s->phase == PEP_SYNC_FILLING)
        pep_sync_fail(s, PEP_EDENIED,
                      "the server refused the connection (unknown or revoked key?)");
}

void pep_sync_watch_clocks(struct pep_sync *s)
{
    int64_t apart = (s->now.wall_ms - s->anchor.wall_ms) - (s->now.boot_ms - s->anchor.boot_ms);
    if (s->anchored && (apart > CLOCKS_APART || apart < -CLOCKS_APART))
        s->anchored = false; /* a clock was set: notices prove nothing until the next answer */
}

void pep_sync_watch_silence(struct pep_sync *s)
{
    if (!s->options.subscribe || s->phase != PEP_SYNC_IDLE)
        return;
    int64_t now = s->now.boot_ms;
    if (now - s->last_beacon >= s->resubscribe_after && s->last_answer > s->last_beacon &&
        now - s->last_resubscribe >= s->resubscribe_after) {
        s->last_resubscribe = now;
        s->resubscribe_after *= 2;
        if (s->resubscribe_after > RESUBSCRIBE_MAX)
            s->resubscribe_after = RESUBSCRIBE_MAX;
        pep_sync_emit(s, PEP_ACTION_RESUBSCRIBE, 0, NULL);
    }
}
