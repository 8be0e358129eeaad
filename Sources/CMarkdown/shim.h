// The Markdown parser of md4c.
#pragma once
#include <md4c.h>
