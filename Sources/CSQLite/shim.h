#include <sqlite3.h>

// SQLITE_TRANSIENT is a cast of -1 to a function pointer and sqlite3_config is variadic: Swift imports neither.
static inline int tacho_sqlite3_bind_text(sqlite3_stmt *statement, int index, const char *text, int bytes) {
    return sqlite3_bind_text(statement, index, text, bytes, SQLITE_TRANSIENT);
}

static inline int tacho_sqlite3_bind_blob(sqlite3_stmt *statement, int index, const void *blob, int bytes) {
    return sqlite3_bind_blob(statement, index, blob, bytes, SQLITE_TRANSIENT);
}

// Whole-process counts of memory cost two locks per allocation, and nobody asks for them. Must precede any other call.
static inline int tacho_sqlite3_without_memory_statistics(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
