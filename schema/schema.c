#include "Schema.h"

static const unsigned char v001[] = {
#embed "migrations/v001_initial.sql"
};
static const unsigned char v002[] = {
#embed "migrations/v002_upstreams.sql"
};
static const unsigned char v003[] = {
#embed "migrations/v003_open_turns.sql"
};
static const unsigned char v004[] = {
#embed "migrations/v004_deleted_branches.sql"
};
static const unsigned char v005[] = {
#embed "migrations/v005_anchors.sql"
};
static const unsigned char v006[] = {
#embed "migrations/v006_bindings.sql"
};
static const unsigned char v007[] = {
#embed "migrations/v007_marks.sql"
};
static const unsigned char v008[] = {
#embed "migrations/v008_sizes.sql"
};
static const unsigned char v009[] = {
#embed "migrations/v009_secrets.sql"
};
static const unsigned char v010[] = {
#embed "migrations/v010_appended_systems.sql"
};
static const unsigned char v011[] = {
#embed "migrations/v011_summaries.sql"
};
static const unsigned char v012[] = {
#embed "migrations/v012_money.sql"
};
static const unsigned char v013[] = {
#embed "migrations/v013_failures.sql"
};
static const unsigned char v014[] = {
#embed "migrations/v014_search.sql"
};
static const unsigned char v015[] = {
#embed "migrations/v015_purge.sql"
};
static const unsigned char v016[] = {
#embed "migrations/v016_audit.sql"
};
static const unsigned char views[] = {
#embed "views.sql"
};
static const unsigned char models[] = {
#embed "models.json"
};
static const unsigned char protocol[] = {
#embed "protocol.json"
};

static const unsigned char configuration[] = {
#embed "configuration.md"
};
static const unsigned char google[] = {
#embed "google.md"
};
static const unsigned char places[] = {
#embed "../systemd/README.md"
};
static const unsigned char window[] = {
#embed "window.md"
};
static const unsigned char user_socket[] = {
#embed "../systemd/user/convod.socket"
};
static const unsigned char user_service[] = {
#embed "../systemd/user/convod.service"
};

static const schema_file topics[] = {
    { "configuration", configuration, sizeof configuration },
    { "google", google, sizeof google },
    { "places", places, sizeof places },
    { "window", window, sizeof window },
};
const size_t schema_topic_count = sizeof topics / sizeof topics[0];
schema_file schema_topic(size_t k) { return topics[k]; }

static const schema_file migrations[] = {
    { "v001_initial.sql", v001, sizeof v001 },
    { "v002_upstreams.sql", v002, sizeof v002 },
    { "v003_open_turns.sql", v003, sizeof v003 },
    { "v004_deleted_branches.sql", v004, sizeof v004 },
    { "v005_anchors.sql", v005, sizeof v005 },
    { "v006_bindings.sql", v006, sizeof v006 },
    { "v007_marks.sql", v007, sizeof v007 },
    { "v008_sizes.sql", v008, sizeof v008 },
    { "v009_secrets.sql", v009, sizeof v009 },
    { "v010_appended_systems.sql", v010, sizeof v010 },
    { "v011_summaries.sql", v011, sizeof v011 },
    { "v012_money.sql", v012, sizeof v012 },
    { "v013_failures.sql", v013, sizeof v013 },
    { "v014_search.sql", v014, sizeof v014 },
    { "v015_purge.sql", v015, sizeof v015 },
    { "v016_audit.sql", v016, sizeof v016 },
};
const size_t schema_migration_count = sizeof migrations / sizeof migrations[0];
schema_file schema_migration(size_t k) { return migrations[k - 1]; }
const schema_file schema_views = { "views.sql", views, sizeof views };
const schema_file schema_models = { "models.json", models, sizeof models };
const schema_file schema_protocol = { "protocol.json", protocol, sizeof protocol };
const schema_file schema_user_socket = { "convod.socket", user_socket, sizeof user_socket };
const schema_file schema_user_service = { "convod.service", user_service, sizeof user_service };
