// jemalloc's settings, read before main. Linked into programs by vkb_allocator, not into the layer.

extern "C" {
// Many short turns on many threads make and free small documents: half of all CPU time went into
// glibc's malloc (its caches of 7 blocks a size are emptied by each document), and what a burst had
// taken stayed in its arenas. Here two arenas serve all threads, and a thread of jemalloc's own
// gives back what was not used for two seconds. A thread keeps at most 20 blocks of a size (200 by
// default: with a hundred idle threads that was more than what they use), and no huge pages are
// asked for, of which a few used bytes keep 2 MB. Neither costs CPU that could be measured.
extern const char* malloc_conf;
const char* malloc_conf =
    "narenas:2,background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0,"
    "tcache_nslots_small_max:20,tcache_nslots_large:4,lg_tcache_nslots_mul:0,thp:never";
}
