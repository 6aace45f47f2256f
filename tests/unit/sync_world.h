/*
 * The server's side of the client's state machine, for the tests of it: a `world` makes answers,
 * files, notices and statements with real signatures, and plays stories. A story is a table of
 * events at times, and of what the machine must ask for and be in afterwards. No socket, no clock,
 * no sleeping: one whole day of a client takes milliseconds, and comes out the same each time.
 */
#ifndef PEP_TEST_SYNC_WORLD_H
#define PEP_TEST_SYNC_WORLD_H

#include "pep/sync.h"
#include "tests/support/fixture.h"

#define START_MS (FIXTURE_NOW * 1000)
#define BOOT_MS  5000000
#define POLL_MS  15000

enum op {
    TICK,
    UP,
    DOWN,
    REFUSED_LINK,
    REFRESH,
    SAME,     /* answer: you run it */
    VERSION,  /* answer: run version v; its new file comes by WANT, or inside with INLINE */
    NONE,     /* answer: nothing for you */
    DENIED,   /* REFUSED */
    FILES,    /* all files of the last WANT */
    BAD_FILE, /* one of them with other bytes */
    ACTIVATED,
    REJECTED,
    NOTICE,     /* "v is the head" */
    REPLAY,     /* the very bytes of the last notice again */
    OLD_NOTICE, /* well signed, with a lower sequence */
    STATE_REVOKED,
    STATE_SUSPENDED,
    STATE_RESUMED,
    CLOCK, /* the wall clock is set forward by v milliseconds */
};

enum twist {
    PLAIN = 0,
    INLINE = 1,
    WRONG_NONCE = 2,
    WRONG_KEY = 4,     /* signed by a key that is no beacon (or no policy) key */
    OTHER_CONTENT = 8, /* the same version with other files */
    PROVISIONAL = 16,
    PAST = 32,       /* an expired manifest */
    OTHER_NAME = 64, /* a manifest of another bundle */
    OTHER_EPOCH = 128,
    SERVER_FLOOR = 256, /* the answer's floor is above its version */
    OLD_SEQ = 512,      /* statements: a sequence that was used before */
    ABOUT_OTHER = 1024, /* statements: another client's key */
    FORGED_MANIFEST = 2048,
    NEXT_ROOT = 4096,   /* a new root document comes along */
    LATE_NOTICE = 8192, /* made `v2` ms before it arrives */
    CANARY = 16384,     /* another channel */
};

struct step {
    int64_t at; /* ms after the start */
    enum op op;
    uint64_t v;
    unsigned twist;
    const char *actions;
    enum pep_sync_phase phase;
};

struct world {
    struct fixture f;
    struct pep_private_key *other;
    struct pep_sync *sync;
    struct pep_moment now;
    int64_t wall_shift;
    uint64_t seq, statement_seq;
    struct pep_buffer last_notice;
    struct pep_buffer root2;
    bool rooted;
    unsigned last_twist;
    uint64_t last_version;
    char log[512];
};

/* A client that runs version `running` (0: none) and remembers `memory` (NULL: nothing). */
void world_open(struct world *w, const struct pep_memory *memory, uint64_t running);
void world_close(struct world *w);

/* Plays one step, then reads what the machine asks for into `log`, as words. */
void world_play_step(struct world *w, const struct step *s);
void world_drain(struct world *w);

/* Plays steps and compares each. */
void world_play(struct world *w, const struct step *steps, size_t count);
#define PLAY(w, steps) world_play(w, steps, sizeof(steps) / sizeof((steps)[0]))

/* Any event, now. */
void world_step(struct world *w, enum pep_sync_event_kind kind, const struct pep_span *frames,
                size_t count);

/* The version that runs, 0 without one. */
uint64_t world_runs(const struct world *w);

struct pep_head world_head(const struct pep_manifest *m);

/* How long ago, in our time, the running version was last proved. */
int64_t world_age(const struct world *w);

#define IDLE       PEP_SYNC_IDLE
#define ASKING     PEP_SYNC_ASKING
#define FILLING    PEP_SYNC_FILLING
#define ACTIVATING PEP_SYNC_ACTIVATING
#define WAITING    PEP_SYNC_WAITING

/* From nothing to version 5, at 40 ms; the report follows. */
#define JOIN                                                                                 \
    {0, TICK, 0, 0, "FETCH", ASKING}, {10, VERSION, 5, INLINE, "ACTIVATE", ACTIVATING},      \
        {40, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE}, {300, TICK, 0, 0, "FETCH", ASKING}, \
    {                                                                                        \
        310, SAME, 0, 0, "PROOF DONE", IDLE                                                  \
    }

#endif
