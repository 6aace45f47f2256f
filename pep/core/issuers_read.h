/* Between issuers.c, which owns the table, and issuers_read.c, which fills one row of it. */
#ifndef PEP_CORE_ISSUERS_READ_H
#define PEP_CORE_ISSUERS_READ_H

#include "issuers.h"
#include "json.h"

struct pep_issuer_reader {
    const char *file;
    struct pep_span text; /* to find a line; empty if there is none */
    struct pep_diags *diags;
    struct pep_error *err;
    const char *issuer; /* being read, or NULL */
    size_t index;
    int line, result;
};

/* Reads items[count] from `entry`, from which all its strings are borrowed. What is wrong goes to
 * the reader's diagnoses, and the first error to its `result`. */
void pep_issuer_read(struct pep_issuer_reader *r, const json_t *entry, struct pep_issuer *items,
                     size_t count);
void pep_issuer_clear(struct pep_issuer *issuer);
/* With several issuers: those that may assert everything. */
void pep_issuer_warn_unlimited(struct pep_issuer_reader *r, const struct pep_issuer *items,
                               size_t count);
void pep_issuer_no_memory(struct pep_issuer_reader *r);

#endif
