#include <zlib.h>

// deflateInit2 is a macro, which Swift does not import. 15 + 16 asks for the gzip container (zlib.h, "deflateInit2").
static inline int tacho_gzip_deflate_init(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

static inline int tacho_gzip_inflate_init(z_stream *stream) {
    return inflateInit2(stream, 15 + 16);
}
