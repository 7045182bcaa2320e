#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

#include <stdint.h>

/* Blocks that the calling thread has taken from the heap since it began. */
uint64_t allocation_count(void);

#endif
