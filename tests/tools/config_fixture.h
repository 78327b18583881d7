/* For tests: a configuration from text. */
#ifndef ZL_TESTS_TOOLS_CONFIG_FIXTURE_H
#define ZL_TESTS_TOOLS_CONFIG_FIXTURE_H

#include "lib/base/config.h"

/* Aborts, with the error, if the text is wrong. */
struct config *text_config(const char *text);

#endif
