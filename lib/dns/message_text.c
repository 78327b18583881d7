#include "lib/dns/message.h"

#include <stdio.h>

void rcode_to_text(char out[RCODE_TEXT_MAX], uint16_t rcode)
{
    static const char *const names[] = {
        [RCODE_NOERROR] = "NOERROR",   [RCODE_FORMERR] = "FORMERR",
        [RCODE_SERVFAIL] = "SERVFAIL", [RCODE_NXDOMAIN] = "NXDOMAIN",
        [RCODE_NOTIMP] = "NOTIMP",     [RCODE_REFUSED] = "REFUSED",
        [RCODE_YXDOMAIN] = "YXDOMAIN", [RCODE_YXRRSET] = "YXRRSET",
        [RCODE_NXRRSET] = "NXRRSET",   [RCODE_NOTAUTH] = "NOTAUTH",
        [RCODE_NOTZONE] = "NOTZONE",   [RCODE_DSOTYPENI] = "DSOTYPENI",
        [RCODE_BADVERS] = "BADVERS",   [RCODE_BADKEY] = "BADKEY",
        [RCODE_BADTIME] = "BADTIME",   [RCODE_BADMODE] = "BADMODE",
        [RCODE_BADNAME] = "BADNAME",   [RCODE_BADALG] = "BADALG",
        [RCODE_BADTRUNC] = "BADTRUNC", [RCODE_BADCOOKIE] = "BADCOOKIE",
    };

    if (rcode < sizeof(names) / sizeof(names[0]) && names[rcode])
        (void)snprintf(out, RCODE_TEXT_MAX, "%s", names[rcode]);
    else
        (void)snprintf(out, RCODE_TEXT_MAX, "RCODE%u", (unsigned)rcode);
}

void opcode_to_text(char out[RCODE_TEXT_MAX], uint8_t opcode)
{
    static const char *const names[] = {
        [OPCODE_QUERY] = "QUERY",   [OPCODE_IQUERY] = "IQUERY", [OPCODE_STATUS] = "STATUS",
        [OPCODE_NOTIFY] = "NOTIFY", [OPCODE_UPDATE] = "UPDATE", [OPCODE_DSO] = "DSO",
    };

    if (opcode < sizeof(names) / sizeof(names[0]) && names[opcode])
        (void)snprintf(out, RCODE_TEXT_MAX, "%s", names[opcode]);
    else
        (void)snprintf(out, RCODE_TEXT_MAX, "OPCODE%u", (unsigned)opcode);
}
