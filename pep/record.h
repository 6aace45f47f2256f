/*
 * A decision record: packed on the deciding thread by copying bytes, straight into the queue, and
 * written as JSON by the agent.
 *
 * Packing is what the decision pays for, so it formats nothing; only the values that rules can read
 * come as JSON from the engine, because they exist only while the request does. Texts that came
 * from outside may hold anything; the writer makes valid JSON of them in every case.
 */
#ifndef PEP_RECORD_H
#define PEP_RECORD_H

#include "pep/core/bytes.h"
#include "pep/core/engine.h"
#include "pep/decision_id.h"
#include "pep/events.h"

#include "pep.h"

#define PEP_TRACE_ID        32 /* hex digits */
#define PEP_REQUEST_ID_MAX  64
#define PEP_RECORD_TEXT_MAX 256 /* subject, action: longer ones are cut */

/* What is known at the end of a decision; texts are borrowed. */
struct pep_record {
    int64_t wall_ms;
    uint64_t version, age_ms, eval_ns;
    uint32_t epoch;
    uint8_t outcome, code;
    const char *id;       /* PEP_DECISION_ID bytes */
    const char *trace_id; /* of PEP_TRACE_ID digits; empty without a trace */
    const char *request_id, *subject, *action, *resource, *rule, *reason; /* NULL: none */
};

/* Puts the packed record into the queue. `reads` is the engine's JSON object; empty: none; NULL: it
 * was too long to keep, and the record says so. What does not fit is dropped and counted. */
enum pep_put pep_record_put(const struct pep_record *record, const struct pep_span *reads,
                            struct pep_events *events, unsigned stripe);
/* Appends one line of JSON without LF. Errors: EFORMAT, ENOMEM. */
int pep_record_write(struct pep_span packed, const char *service, struct pep_buffer *out);

#endif
