#pragma once

#include <cstdio>
#include <cstdlib>

/// Aborts when an invariant of this program is broken. Never for input: what the world can cause is
/// a Status.
#define VKB_CHECK(condition, message)                                                            \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      std::fprintf(stderr, "%s:%d: broken invariant (%s): %s\n", __FILE__, __LINE__, #condition, \
                   message);                                                                     \
      std::abort();                                                                              \
    }                                                                                            \
  } while (false)
