// The first process of the emulated machine: runs /kernel-checks with the arguments that the kernel's command line has after "--",
// says how it ended, and ends the emulator.
#include <stdio.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int main(int count, char **arguments) {
  (void)count;
  pid_t child = fork();
  if (child == 0) {
    execv("/kernel-checks", arguments);
    perror("/kernel-checks");
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("kernel-checks ended by signal %d\n", WTERMSIG(status));
  printf("kernel-checks: exit status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  fflush(stdout);
  // Bochs ends when this word is written to its port. Without ACPI there is no other way to switch off.
  tcdrain(1);
  if (!ioperm(0x8900, 1, 1))
    for (const char *letter = "Shutdown"; *letter; letter++) outb((unsigned char)*letter, 0x8900);
  reboot(RB_HALT_SYSTEM);
  for (;;) pause();
}
