// The HTML renderer of md4c.
#pragma once
#include <md4c-html.h>
