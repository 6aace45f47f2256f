/*
 * Proofs that were used, so that none counts twice (RFC 9449 section 11.1). One per handle.
 *
 * One word for each proof: 40 bits of a hash of key and `jti`, and when it ends. Further bits of
 * the hash pick two neighbouring buckets of eight words; the proof is in one of those sixteen. Two
 * different proofs that look the same there (one pair in 10^11) cost a client one more try. A word
 * is taken by one compare-and-exchange when it is empty or its proof has ended: no lock, nothing to
 * sweep, and one that is still alive is never pushed out. If all sixteen are alive the new proof is
 * refused, so that nobody can make room for a replay by using many others.
 *
 * Rejected: a lock for each stripe (a child of fork() would inherit it locked); a Bloom filter for
 * each half of a window (it forgets all at once, or fills and refuses everybody).
 */
#ifndef PEP_REPLAY_H
#define PEP_REPLAY_H

#include "pep/core/crypto.h"

#define PEP_REPLAY_MIN     1024
#define PEP_REPLAY_MAX     (16 * 1024 * 1024)
#define PEP_REPLAY_DEFAULT (256 * 1024) /* 2 MB, of which only what is used becomes real */

struct pep_replay;

enum pep_replay_answer { PEP_REPLAY_NEW, PEP_REPLAY_SEEN, PEP_REPLAY_FULL };

/* Room for `capacity` proofs, rounded up to a power of two; NULL: no memory. */
struct pep_replay *pep_replay_new(size_t capacity);
void pep_replay_free(struct pep_replay *r);

/* Any thread. NEW for at most one of all calls with this id before `ends` (Unix seconds, after
 * `now`). Of several at the same moment all may get SEEN. */
enum pep_replay_answer pep_replay_note(struct pep_replay *r, const uint8_t id[PEP_SHA256_SIZE],
                                       int64_t ends, int64_t now);

#endif
