/*
 * libpep: decide access control locally, by a signed policy that arrives over the network.
 *
 *     pep_options o = PEP_OPTIONS_INIT;
 *     o.identity = "/etc/pep";                             // written by `policyctl service join`
 *     pep *p;
 *     if (pep_open(&o, &p) != PEP_OK)
 *         errx(1, "%s", pep_open_error());
 *     if (pep_wait_ready(p, 5000) != PEP_OK)
 *         fprintf(stderr, "no policy yet: everything is denied\n");
 *     if (!pep_allow(p, bearer_token, "read", "invoice:acme/4711"))
 *         return http_403(request);
 *     pep_close(p);
 *
 * How it works. One background thread subscribes to (or polls) pdpd, verifies each new policy
 * version against the root document pinned at enrolment, compiles it beside the running one, and
 * swaps one pointer. Decisions run on the caller's thread: no network, no locks, no file access.
 *
 * What it promises. Everything that is not a clean "allow" is a deny: before the first verified
 * policy, after `max_stale`, on a bad token, on a rule that fails, on no memory, on a NULL handle.
 * No function returns a status that could be read as a decision.
 *
 * Threads. A handle may be used by any number of threads at once; only pep_close() must be the last
 * call. The smallest thread stack for a decision is 256 KiB. The library never logs, never exits
 * and installs no signal handlers; its thread blocks all signals. libzmq has assertions of its own
 * that abort the process on kernel-level faults: a host that cannot accept this uses PEP_FILE mode.
 *
 * Fork. Open the handle after fork(). A child that inherits one keeps deciding by the policy that
 * it inherited, until that goes stale; pep_after_fork() gives it a thread and sockets of its own.
 *
 * Growth. Each struct starts with `size`, set by its INIT macro; members are only ever added at
 * the end. Strings are UTF-8 and end with NUL; sizes are bytes; times say their unit in the name.
 */
#ifndef PEP_H
#define PEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PEP_API    __attribute__((visibility("default")))
#define PEP_NODISCARD __attribute__((warn_unused_result))
#else
#define PEP_API
#define PEP_NODISCARD
#endif

#define PEP_VERSION_MAJOR 0
#define PEP_VERSION_MINOR 1
#define PEP_VERSION_PATCH 0

/* ---- errors ------------------------------------------------------------------------------- */

/* Every function that can fail returns PEP_OK or one of these. None of them is a decision. */
typedef enum pep_err {
    PEP_OK = 0,
    PEP_EINVAL = -1,     /* an argument, option or setting is wrong */
    PEP_ENOMEM = -2,     /* no memory */
    PEP_EIO = -3,        /* a file or system call failed */
    PEP_ETIMEDOUT = -4,  /* not within the time given; the handle stays usable */
    PEP_EFORMAT = -5,    /* bytes that are not what they should be */
    PEP_ESIGNATURE = -6, /* a signature is missing, wrong, or by a key that may not sign this */
    PEP_EEXPIRED = -7,   /* signed, but past its time */
    PEP_EROLLBACK = -8,  /* older than what was already active, or same number, other content */
    PEP_ELIMIT = -9,     /* larger, deeper or more than a documented maximum */
    PEP_ENOTFOUND = -10, /* no such thing */
    PEP_EDENIED = -11,   /* the server refused */
    PEP_EPOLICY = -12,   /* the policy does not compile, or fails its self-check */
    PEP_ECONFLICT = -13, /* somebody else was first */
    PEP_ESTATE = -14,    /* not possible in this state (forked child, closed, wrong mode) */
    PEP_ELUA = -15,      /* the process exports another Lua; build with -DPEP_LUA_SOURCE=DIR */
    PEP_ETOKEN = -16     /* a token is not valid */
} pep_err;

/* A short English text for an error; static, never NULL. */
PEP_API const char *pep_strerror(int err);

/* The library's version, "MAJOR.MINOR.PATCH"; static. */
PEP_API const char *pep_version(void);

/* ---- states and codes --------------------------------------------------------------------- */

/* What the handle can promise about the policy that it decides by. */
typedef enum pep_state {
    PEP_EMPTY = 0,   /* no verified policy yet: every decision is deny `unavailable` */
    PEP_SYNCING = 1, /* a verified policy from the cache is active; not yet confirmed as current */
    PEP_FRESH = 2,   /* proved current within `stale_after` */
    PEP_STALE = 3,   /* proof older than that: still decides, and says so */
    PEP_EXPIRED = 4, /* proof older than `max_stale`, or the bundle's `expires` is past: deny */
    PEP_REVOKED = 5, /* this service's key was revoked or suspended: deny */
    PEP_CLOSED = 6   /* no handle */
} pep_state;

/* The name of a state in capitals ("FRESH"); static, never NULL. */
PEP_API const char *pep_state_name(pep_state state);

typedef enum pep_outcome { PEP_DENY = 0, PEP_ALLOW = 1, PEP_CHALLENGE = 2 } pep_outcome;

/* Why a decision came out as it did. The names in lower case ("not_granted") are stable. */
typedef enum pep_code {
    PEP_CODE_UNAVAILABLE = 0, /* no policy */
    PEP_CODE_ALLOWED = 1,
    PEP_CODE_NOT_GRANTED = 2, /* no allow rule applied */
    PEP_CODE_DENIED = 3,      /* a deny rule applied */
    PEP_CODE_CHALLENGE = 4,   /* would be allowed after the obligations, e.g. a step-up sign-in */
    PEP_CODE_OBLIGATION = 5,  /* allowed only with an obligation that the caller cannot fulfil */
    PEP_CODE_BAD_TOKEN = 6,
    PEP_CODE_BAD_REQUEST = 7,
    PEP_CODE_UNKNOWN = 8, /* undeclared resource type or action */
    PEP_CODE_EXPIRED = 9,
    PEP_CODE_REVOKED = 10,
    PEP_CODE_BUSY = 11, /* no evaluation slot within the bound */
    PEP_CODE_FAULT = 12 /* a rule failed, or a limit was exhausted */
} pep_code;

/* The contract name of a code ("not_granted") and of an outcome ("deny"); static, never NULL. */
PEP_API const char *pep_code_name(pep_code code);
PEP_API const char *pep_outcome_name(pep_outcome outcome);

/* ---- what a decision is asked with -------------------------------------------------------- */

typedef enum pep_type { PEP_STRING, PEP_INT, PEP_NUMBER, PEP_BOOL, PEP_SET } pep_type;

/* One attribute with a C type, so that the hot path parses no JSON. Borrowed during the call. */
typedef struct pep_attr {
    const char *name;
    pep_type type;
    union {
        const char *string;
        int64_t integer;
        double number;
        bool boolean;
        struct {
            const char *const *items;
            size_t count;
        } set;
    } value;
} pep_attr;

static inline pep_attr pep_attr_string(const char *name, const char *value)
{
    pep_attr a;
    a.name = name;
    a.type = PEP_STRING;
    a.value.string = value;
    return a;
}
static inline pep_attr pep_attr_int(const char *name, int64_t value)
{
    pep_attr a;
    a.name = name;
    a.type = PEP_INT;
    a.value.integer = value;
    return a;
}
static inline pep_attr pep_attr_number(const char *name, double value)
{
    pep_attr a;
    a.name = name;
    a.type = PEP_NUMBER;
    a.value.number = value;
    return a;
}
static inline pep_attr pep_attr_bool(const char *name, bool value)
{
    pep_attr a;
    a.name = name;
    a.type = PEP_BOOL;
    a.value.boolean = value;
    return a;
}
static inline pep_attr pep_attr_set(const char *name, const char *const *items, size_t count)
{
    pep_attr a;
    a.name = name;
    a.type = PEP_SET;
    a.value.set.items = items;
    a.value.set.count = count;
    return a;
}

/* More about a request than token, action and resource. Everything is borrowed during the call. */
typedef struct pep_query {
    size_t size;
    const pep_attr *attrs; /* of the resource */
    size_t attr_count;
    const pep_attr *context; /* of the request, read by rules as ctx.NAME */
    size_t context_count;
    const char *attrs_json;                /* the same as JSON objects; costs the parse. Naming an */
    const char *context_json;              /* attribute in both forms is `bad_request` */
    const char *request_id;                /* for the record, at most 64 bytes; may be NULL */
    const char *traceparent;               /* W3C trace context; an invalid one is ignored */
    const unsigned char *peer_cert_sha256; /* 32 bytes: hash of the caller's TLS certificate (DER),
                                              for certificate-bound tokens (RFC 8705); or NULL */
    const char *dpop;        /* the request's one DPoP header (RFC 9449), for tokens bound to a key; */
    const char *http_method; /* or NULL. Only where the token came as "Authorization: DPoP": with a */
    const char *http_uri;    /* token that is not bound it is refused. Needs the method and the URI as
                                the client sees it, absolute ("https://api.acme/invoices"). A proof
                                counts for one call */
} pep_query;
#define PEP_QUERY_INIT                                                                             \
    {sizeof(pep_query), NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/* One of several questions about one token. */
typedef struct pep_item {
    const char *action;
    const char *resource;
    const pep_query *query; /* or NULL; items may share one */
} pep_item;

/* ---- the answer --------------------------------------------------------------------------- */

#define PEP_RULE_MAX   128 /* a rule id with its NUL */
#define PEP_REASON_MAX 256 /* a reason with its NUL */

/* Filled in every case, also on failure. Start with PEP_DECISION_INIT; reuse it freely (a check
 * frees what the last one left); end with pep_decision_clear(). Not for two threads at once.
 * `reason` may be shown to the end user; `rule` belongs in logs only. */
typedef struct pep_decision {
    size_t size;
    bool allowed; /* the same value that the call returned */
    pep_outcome outcome;
    pep_code code;
    pep_state state;
    bool stale;         /* decided by a policy not proved current within `stale_after` */
    uint64_t epoch;     /* of the policy, 0 without one */
    uint64_t version;   /* of the policy, 0 without one */
    uint64_t age_ms;    /* since the last proof that this version is current */
    uint64_t eval_ns;   /* the whole call */
    char id[32];        /* unique: "d_" and 26 characters that sort by time */
    char rule[PEP_RULE_MAX];
    char reason[PEP_REASON_MAX];
    const char *obligations; /* JSON array text, or NULL; owned by the decision */
    const char *advice;      /* JSON array text, or NULL; owned by the decision */
    void *owned;             /* private */
    const char *token_error; /* of `bad_token`: why in one word ("expired", "missing"; libpep(3)),
                                for operators and not for clients; else NULL. Static */
    bool dpop;               /* the token is bound to a key (RFC 9449), or a proof came with it */
} pep_decision;
#define PEP_DECISION_INIT                                                                          \
    {sizeof(pep_decision), false, PEP_DENY, PEP_CODE_UNAVAILABLE, PEP_EMPTY, false, 0, 0, 0, 0,     \
     {0}, {0}, {0}, NULL, NULL, NULL, NULL, false}

/* ---- options ------------------------------------------------------------------------------ */

typedef struct pep pep;

typedef enum pep_mode {
    PEP_SUBSCRIBE = 0, /* push: told of each version at once; a slow poll as safety net */
    PEP_POLL = 1,      /* pull: asks every `poll_interval_ms` */
    PEP_FILE = 2       /* a signed bundle on disk, read again when it is replaced by rename */
} pep_mode;

struct pep_status;
struct pep_record;

typedef struct pep_options {
    size_t size;
    pep_mode mode;
    const char *identity;          /* folder written by pep_enrol() / `policyctl service join` */
    const char *enrol_token_file;  /* used once when the folder holds no identity; default
                                      $PEP_ENROL_TOKEN_FILE */
    const char *cache;             /* folder for the last good bundle; default IDENTITY/cache */
    const char *bundle_file;       /* PEP_FILE: the bundle ... */
    const char *root_file;         /* ... and the root document that it is verified against */
    const char *const *audience;   /* values of `aud` that mean this service, NULL at the end;
                                      default: the enrolled name. In PEP_FILE mode without this
                                      the signed policy's issuer audiences alone decide */
    const char *const *can_oblige; /* obligation types that the caller promises to fulfil when
                                      pep_check() hands them over, NULL at the end; default: none */
    uint32_t poll_interval_ms;     /* default 15000, at least 100; jittered by a quarter */
    uint32_t stale_after_ms;       /* default 60000; in PEP_POLL mode at least three intervals */
    uint32_t max_stale_s;          /* 0: the bundle's; else the smaller of the two */
    unsigned lua_states;           /* default: the cores, at most 4; 1..64 */
    size_t token_cache;            /* verified tokens kept; default 4096; 16..1048576 */
    size_t event_queue;            /* records kept until delivered; default 8192; 64..1048576;
                                      only with on_record */
    void (*on_status)(void *user, const struct pep_status *status);
    void (*on_log)(void *user, int level, const char *text); /* syslog levels */
    void (*on_record)(void *user, const char *json, size_t length);
    void *user; /* handed to the callbacks, which run on the library's thread, may call everything
                   but pep_close(), and keep nothing of what they are given after they return.
                   pep_wait_ready() and pep_refresh() do not wait there (ESTATE) */
    size_t proof_cache;      /* DPoP proofs remembered, so that none counts twice; default 262144;
                                1024..16777216. Full of live ones: deny */
    uint32_t proof_window_s; /* seconds that a DPoP proof lives; default 60; 1..600 */
} pep_options;
#define PEP_OPTIONS_INIT                                                                           \
    {sizeof(pep_options), PEP_SUBSCRIBE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0,   \
     0, NULL, NULL, NULL, NULL, 0, 0}

/* ---- life --------------------------------------------------------------------------------- */

/* Checks the options, reads identity and cache, starts the thread. Never waits for the network.
 * Strings are copied. On failure *ret is untouched and pep_open_error() says what and where.
 * Errors: EINVAL (also: no identity there), ENOMEM, EIO, EFORMAT, ESIGNATURE, ELUA; in PEP_FILE
 * mode also what the bundle is refused with (EPOLICY, ELIMIT, ...): no waiting would mend it. */
PEP_API PEP_NODISCARD pep_err pep_open(const pep_options *options, pep **ret);

/* The text of the last pep_open() or pep_enrol() failure on this thread; valid until the next. */
PEP_API const char *pep_open_error(void);

/* Waits at most `timeout_ms` until a verified policy is active (one from the cache counts).
 * Errors: EINVAL (no handle), ETIMEDOUT, ESTATE (a forked child or a callback: nobody would bring
 * one). The handle stays usable after each of them. */
PEP_API PEP_NODISCARD pep_err pep_wait_ready(pep *p, uint32_t timeout_ms);

/* Asks the server (PEP_FILE: reads the files) now and waits for the answer; for tests and admin
 * endpoints. Errors: EINVAL (no handle), ETIMEDOUT, ESTATE (a forked child or a callback), EDENIED,
 * and what the new version was refused with. */
PEP_API pep_err pep_refresh(pep *p, uint32_t timeout_ms);

/* In a forked child, before its other threads use the handle: new thread, sockets and reporter id.
 * On failure the child goes on deciding as it did. Errors: EINVAL (no handle), ENOMEM, EIO, ESTATE
 * (not a forked child). */
PEP_API pep_err pep_after_fork(pep *p);

/* Delivers queued records for up to one second, ends the thread, frees. NULL is fine. Not while
 * another call runs on the handle, and not from a callback. */
PEP_API void pep_close(pep *p);

/* ---- deciding ----------------------------------------------------------------------------- */

/* True only if a verified, unexpired policy allows and leaves no obligation open: there is no
 * decision to hand one over in, so an allow with an obligation is false here, also where
 * `can_oblige` names its type. `token` is the JWT as it came after "Bearer "; `resource` is
 * "type:segment/segment" (see pep_resource()). Rules see the segments of the resource name and no
 * other attributes. NULL anywhere is a deny. */
PEP_API PEP_NODISCARD bool pep_allow(pep *p, const char *token, const char *action,
                                     const char *resource);

/* The same with attributes and the reasons; `query` and `decision` may be NULL. The answers of the
 * two differ in one case: the policy allows with obligations, all of them are of types that
 * `can_oblige` names, and there is a `decision` to hand them over in. Then this is true, and the
 * caller, who has promised so in `can_oblige`, fulfils each of them (pep_next_obligation()) before
 * it acts. Without `can_oblige`, or without a `decision`, an allow with an obligation is false. */
PEP_API PEP_NODISCARD bool pep_check(pep *p, const char *token, const char *action,
                                     const char *resource, const pep_query *query,
                                     pep_decision *decision);

/* All items against one policy version, the token verified once. Fills decisions[0..count-1],
 * each of which was initialised (PEP_DECISION_INIT) and is to be cleared. Returns how many are
 * allowed, by the rule of pep_check(). `decisions` may be NULL if only the number matters; then an
 * allow with an obligation does not count. */
PEP_API size_t pep_check_many(pep *p, const char *token, const pep_item *items, size_t count,
                              pep_decision *decisions);

/* Frees what a check put into a decision. Safe on an initialised decision, and twice. */
PEP_API void pep_decision_clear(pep_decision *decision);

/* Steps through the obligations: start with *it = 0; false at the end. `*json` is the obligation
 * object. Both strings live until the decision is cleared or reused. */
PEP_API bool pep_next_obligation(pep_decision *decision, size_t *it, const char **type,
                                 const char **json);

/* A decision in HTTP: *status (may be NULL), and the value of the `WWW-Authenticate` header that
 * goes with it. Returns the length of the value without the NUL; 0: send no such header. If that is
 * not less than `size`, `buffer` holds an empty string, never a shorter value: nothing in it needs
 * more escaping. `realm` may be NULL.
 *
 *     200  allowed                                              -
 *     400  bad_request                                          error="invalid_request"
 *     401  bad_token; without any token there is no `error`     error="invalid_token"
 *     401  a DPoP proof that does not hold                      error="invalid_dpop_proof"
 *     401  challenge to sign in anew or more strongly           error="insufficient_user_
 *          authentication", acr_values="a b", max_age="300"
 *     403  not_granted, denied, obligation, unknown             error="insufficient_scope"
 *     403  a challenge of another kind                          -
 *     503  everything else                                      -
 *
 * The scheme is `DPoP` where the token is bound to a key, else `Bearer`. RFC 6750, 9449, 9470. */
PEP_API size_t pep_www_authenticate(const pep_decision *decision, const char *realm, char *buffer,
                                    size_t size, int *status);

/* Builds "type:seg/seg" with each segment encoded (%2F %3A %2A %25), so that a segment from a user
 * cannot become two. Returns the length that was needed, without the NUL; if that is not less than
 * `size` bytes, `buffer` holds an empty string, never a shorter name. 0 and an empty string if the
 * type or a segment is empty or not valid, or the name is too long for a decision. */
PEP_API size_t pep_resource(char *buffer, size_t size, const char *type,
                            const char *const *segments, size_t count);

/* ---- watching ----------------------------------------------------------------------------- */

typedef struct pep_status {
    size_t size;
    pep_state state;
    uint64_t state_since_ms; /* Unix time in milliseconds */
    uint64_t age_ms;         /* since the last proof; 0 in PEP_FILE mode */
    int64_t expires_in_s;    /* until the bundle's `expires`; negative when past */
    uint64_t epoch, version; /* active; 0 without a policy */
    uint64_t events_dropped; /* records lost because the queue was full: exact */
    uint64_t decisions;      /* made since pep_open() */
    int last_error;          /* pep_err of the last failure; kept after recovery */
    char last_error_text[256];
    char bundle[64];
    char digest[72]; /* "sha256:" and 64 hex digits; empty without a policy */
    char service[80]; /* client id, "NAME/k"; empty in PEP_FILE mode */
    uint64_t revocations; /* step of the list of revoked tokens that decisions look at; 0: none */
} pep_status;
#define PEP_STATUS_INIT \
    {sizeof(pep_status), PEP_EMPTY, 0, 0, 0, 0, 0, 0, 0, 0, {0}, {0}, {0}, {0}, 0}

/* A consistent snapshot; never waits. Start with PEP_STATUS_INIT: without a size nothing is filled
 * in. State PEP_CLOSED on a NULL handle. */
PEP_API void pep_get_status(pep *p, pep_status *status);

/* Counters and gauges as Prometheus text. Returns the length needed without the NUL, as snprintf;
 * counters move, so leave some room beyond what a first call asked for. 0 on a NULL handle. */
PEP_API size_t pep_metrics(pep *p, char *buffer, size_t size);

/* ---- enrolment ---------------------------------------------------------------------------- */

/* Turns a one-time enrolment token ("pdpe1....") into an identity folder: makes the CURVE key here,
 * proves it to the server, checks the root document against the token, and writes identity.json,
 * curve.key (0600) and root.json. An existing identity is never overwritten (ECONFLICT).
 * Waits for the network, at most `timeout_ms`; pep_open_error() has the text of a failure.
 * Errors: EINVAL, ENOMEM, EIO, ETIMEDOUT, EFORMAT, ESIGNATURE, EEXPIRED, ELIMIT, EDENIED,
 * ECONFLICT. */
PEP_API PEP_NODISCARD pep_err pep_enrol(const char *token, const char *identity_folder,
                                        uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
