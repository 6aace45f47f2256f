/*
 * Where a function's parameters go: which fields of them are read, compared and handed on, across
 * locals, outer variables, local functions and modules. For the author's tools alone: loading a
 * policy needs less (chunk.h), and services do not pay for this.
 *
 * One pass over the code in the order in which it stands; a register is what was last put into it.
 * That is not what runs on every path, so what is said from it is about what is written, which is
 * what an author wants to hear about. Rejected: a real data-flow analysis, for the same answers on
 * code that people write.
 */
#ifndef PEP_CORE_CHUNK_FLOW_H
#define PEP_CORE_CHUNK_FLOW_H

#include "chunk.h"

#define PEP_FLOW_PARAMS 8 /* of a function, and arguments of a call, that are followed */
#define PEP_FLOW_NONE   UINT32_MAX

enum pep_flow_what {
    PEP_FLOW_UNKNOWN,
    PEP_FLOW_PARAM,    /* parameter `index` of `function` */
    PEP_FLOW_FIELD,    /* its field `name` */
    PEP_FLOW_FUNCTION, /* `function` of this chunk */
    PEP_FLOW_MODULE,   /* require "module" */
    PEP_FLOW_MEMBER,   /* field `name` of `module`, or of a table of this chunk (NULL) */
    PEP_FLOW_GLOBAL,   /* `name` */
    PEP_FLOW_TEXT,     /* the literal `name` */
    PEP_FLOW_TABLE,    /* made here */
    PEP_FLOW_ENV,
};
struct pep_flow_value {
    uint8_t what, index;
    uint32_t function; /* of a table: which one */
    const char *name, *module;
};

enum pep_flow_kind {
    PEP_FLOW_READS,   /* values[0] is read: a field of a parameter */
    PEP_FLOW_EQUAL,   /* values[0] and [1], both fields of parameters, are compared by == or ~=, and
                       * neither was tested before */
    PEP_FLOW_CALLS,   /* `callee`, a function or a member, gets values[] */
    PEP_FLOW_NO_LIST, /* the word `name` gets a literal text where its list belongs */
    PEP_FLOW_HEAD,    /* the table that is handed to a call in `line` got `name` in `own_line` from
                       * `callee`, which is whatever is known of the value */
};
struct pep_flow {
    enum pep_flow_kind kind;
    uint32_t function; /* where it stands */
    int line, own_line;
    const char *name;
    struct pep_flow_value callee, values[PEP_FLOW_PARAMS];
};
struct pep_flow_export { /* a function that a table of the main chunk got by this name */
    const char *name;
    uint32_t function;
};

struct pep_flows {
    struct pep_flow *items;
    size_t count, capacity;
    struct pep_flow_export *exports;
    size_t export_count, export_capacity;
    bool no_memory;
};

/* Errors: ENOMEM. Names are borrowed from the chunk. */
int pep_flows_read(const struct pep_chunk *c, struct pep_flows *ret);
void pep_flows_free(struct pep_flows *f);
/* The function that is exported by this name, or PEP_FLOW_NONE. */
uint32_t pep_flows_export(const struct pep_flows *f, const char *name);
/* The name of a parameter, as the source has it; empty if it is not known. */
struct pep_span pep_flow_param_name(const struct pep_chunk *c, uint32_t function, unsigned index);

#endif
