/* version: which policyctl this is. */
#include "verbs.h"

#include "pep.h"

#define TEXT(x)   #x
#define NUMBER(x) TEXT(x)
#define VERSION \
    NUMBER(PEP_VERSION_MAJOR) "." NUMBER(PEP_VERSION_MINOR) "." NUMBER(PEP_VERSION_PATCH)

int version_run(struct session *s, const void *settings)
{
    (void)settings;
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out, json_pack("{s:s}", "version", VERSION));
    output_line("policyctl " VERSION);
    return EXIT_OK;
}
