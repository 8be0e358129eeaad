// The SQL, the table of models, the protocol description and the units of convod, embedded as bytes.
#pragma once
#include <stddef.h>

typedef struct {
    const char *name;
    const unsigned char *bytes;
    size_t count;
} schema_file;

// Migrations in order; k counts from 1; migration k makes user_version k.
schema_file schema_migration(size_t k);
extern const size_t schema_migration_count;
// Readable views for the sqlite3 shell; made anew at every start.
extern const schema_file schema_views;
// Pages of help by their names, sorted; k counts from 0.
schema_file schema_topic(size_t k);
extern const size_t schema_topic_count;
// What models hold and cost.
extern const schema_file schema_models;
// The OpenRPC description of the protocol.
extern const schema_file schema_protocol;
// The units of a user's systemd.
extern const schema_file schema_user_socket;
extern const schema_file schema_user_service;
