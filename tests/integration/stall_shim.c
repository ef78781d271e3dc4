// Preloaded into a process, delays its syncs of files below a node's data directory as long as a
// file `stall` lies beside that directory: a disk that does not answer. Built by disk_test.py.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void wait_while_stalled(int fd) {
  char link[64];
  char path[4096];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof(path) - 16);
  if (length <= 0) return;
  path[length] = '\0';
  char* data = strstr(path, "/data/");
  if (data == NULL) return;
  strcpy(data, "/stall");
  while (access(path, F_OK) == 0) usleep(10000);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_while_stalled(fd);
  return real(fd);
}

int fsync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_while_stalled(fd);
  return real(fd);
}
