/* iwdkey FILE: says the passphrase that a file of iwd has, as the library reads it that iwd reads it with
 * (ell/settings.h; iwd, src/network.c). */
#include <stdbool.h>
#include <stdio.h>

struct l_settings;
struct l_settings *l_settings_new(void);
bool l_settings_load_from_file(struct l_settings *settings, const char *path);
char *l_settings_get_string(const struct l_settings *settings, const char *group, const char *key);

int main(int count, char **words) {
    struct l_settings *settings = l_settings_new();
    char *passphrase;

    if (count != 2 || !l_settings_load_from_file(settings, words[1]))
        return 1;
    passphrase = l_settings_get_string(settings, "Security", "Passphrase");
    return passphrase && fputs(passphrase, stdout) != EOF ? 0 : 1;
}
