// How the allocator of brokers and controllers treats memory that was given back. jemalloc reads
// this symbol of the program before main (its manual, "TUNING"); the environment's MALLOC_CONF
// wins.
//
// What a burst of load had dirtied stays with the process by default, until a later allocation of
// the same arena happens to look: an idle broker would keep it for ever. Here a thread of jemalloc
// gives it to the kernel within a second or two, and sleeps when there is nothing left.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
}
