// jemalloc's settings, read before main. Linked into programs by vkb_allocator, not into the layer.

extern "C" {
// Many short turns on many threads make and free small documents: half of all CPU time went into
// glibc's malloc (its caches of 7 blocks a size are emptied by each document), and what a burst had
// taken stayed in its arenas. Here two arenas serve all threads, and a thread of jemalloc's own
// gives back what was not used for two seconds.
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2,background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";
}
