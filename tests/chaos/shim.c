// Preloaded into one process of a chaos test: slow syncs and a wrong wall clock. What it does
// stands in a small file that the test changes while the process runs (QUIPU_TEST_CHAOS_CONTROL):
// two native 64-bit numbers, microseconds that each sync takes longer, and nanoseconds by which
// the wall clock is off. The monotonic clock is never touched: it has no jumps on a real machine.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
  int64_t sync_delay_us;
  int64_t wall_offset_ns;
};

static volatile struct control none;
static volatile struct control* control = &none;
static int (*real_clock_gettime)(clockid_t, struct timespec*);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);

__attribute__((constructor)) static void load(void) {
  real_clock_gettime = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  const char* const path = getenv("QUIPU_TEST_CHAOS_CONTROL");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void* const mapped = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) control = (volatile struct control*)mapped;
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  if (real_clock_gettime == NULL) load();
  const int result = real_clock_gettime(clock, time);
  const int64_t offset = control->wall_offset_ns;
  if (result == 0 && offset != 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    const int64_t total = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + offset;
    time->tv_sec = total / 1000000000;
    time->tv_nsec = total % 1000000000;
  }
  return result;
}

int gettimeofday(struct timeval* restrict value, void* restrict zone) {
  (void)zone;
  struct timespec time;
  const int result = clock_gettime(CLOCK_REALTIME, &time);
  value->tv_sec = time.tv_sec;
  value->tv_usec = time.tv_nsec / 1000;
  return result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

static void delay(void) {
  const int64_t us = control->sync_delay_us;
  if (us > 0) usleep((useconds_t)us);
}

int fdatasync(int fd) {
  delay();
  return real_fdatasync(fd);
}

int fsync(int fd) {
  delay();
  return real_fsync(fd);
}
