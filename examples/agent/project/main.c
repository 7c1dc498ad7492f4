#include <stdio.h>

int main(void) {
    char name[40];
    printf("Your name? ");
    fflush(stdout);
    if (scanf("%39s", name) != 1) {
        return 1
    }
    printf("Hello %s\n", name);
    return 0;
}
