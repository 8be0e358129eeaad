// The part of libcrypto that convod uses.
#pragma once
#include <openssl/evp.h>
