// libedit's variadic setters as plain functions, and its hooks as calls on one context.
#pragma once
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum { CEDIT_TAB = 1, CEDIT_ENTER = 2, CEDIT_NEWLINE = 3, CEDIT_PASTE = 4 };

typedef struct {
    void *context;
    // The next scalar that was typed; -1 breaks the line off.
    int (*next)(void *context);
    // One of our own keys was struck; returns one of libedit's CC_ codes.
    int (*key)(void *context, int key);
} cedit_hooks;

typedef struct {
    EditLine *line;
    HistoryW *history;
    cedit_hooks hooks;
    char prompt[64];
} cedit_editor;

static inline cedit_editor *cedit_of(EditLine *line) {
    void *data = NULL;
    el_get(line, EL_CLIENTDATA, &data);
    return data;
}
static char *cedit_prompt(EditLine *line) { return cedit_of(line)->prompt; }
static int cedit_read(EditLine *line, wchar_t *out) {
    cedit_hooks *hooks = &cedit_of(line)->hooks;
    int scalar = hooks->next(hooks->context);
    if (scalar < 0) return -1;
    *out = (wchar_t)scalar;
    return 1;
}
static inline unsigned char cedit_strike(EditLine *line, int key) {
    cedit_hooks *hooks = &cedit_of(line)->hooks;
    return (unsigned char)hooks->key(hooks->context, key);
}
static unsigned char cedit_on_tab(EditLine *line, int c) { (void)c; return cedit_strike(line, CEDIT_TAB); }
static unsigned char cedit_on_enter(EditLine *line, int c) { (void)c; return cedit_strike(line, CEDIT_ENTER); }
static unsigned char cedit_on_newline(EditLine *line, int c) { (void)c; return cedit_strike(line, CEDIT_NEWLINE); }
static unsigned char cedit_on_paste(EditLine *line, int c) { (void)c; return cedit_strike(line, CEDIT_PASTE); }

// The terminal as it was found, for an end of the process in whatever place.
typedef struct { struct termios found; int is_changed; } cedit_terminal;
static inline cedit_terminal *cedit_the_terminal(void) {
    static cedit_terminal terminal;
    return &terminal;
}
static void cedit_give_back(void) {
    cedit_terminal *terminal = cedit_the_terminal();
    if (!terminal->is_changed) return;
    terminal->is_changed = 0;
    if (write(1, "\033[?2004l", 8) < 0) return;
    tcsetattr(0, TCSADRAIN, &terminal->found);
}

// A signal that ends the process finds the terminal as it was; the runtime's own answer to SIGQUIT is a report of a crash.
static void cedit_on_signal(int number) {
    cedit_give_back();
    if (write(1, "\r\n", 2) < 0) _exit(128 + number);
    if (number == SIGQUIT) _exit(128 + SIGQUIT);
    signal(number, SIG_DFL);
    raise(number);
}
// Whoever gets the terminal meanwhile is told of no brackets around a paste.
static void cedit_on_stop(int number) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, number);
    // libedit takes the terminal for what it made of it: it must be that again, whatever the shell has made of it. While it
    // reads a line it sees to that itself.
    struct termios mine;
    struct sigaction going;
    int isChanged = cedit_the_terminal()->is_changed;
    int isMine = isChanged && sigaction(SIGCONT, NULL, &going) == 0 && going.sa_handler == SIG_DFL
        && tcgetattr(0, &mine) == 0;
    if (isChanged && write(1, "\033[?2004l", 8) < 0) return;
    if (isMine) tcsetattr(0, TCSANOW, &cedit_the_terminal()->found);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &stop, NULL);
    signal(number, cedit_on_stop);
    // In the background it is another's.
    if (isMine && tcgetpgrp(0) == getpgrp()) tcsetattr(0, TCSANOW, &mine);
    if (isChanged && write(1, "\033[?2004h", 8) < 0) return;
}
static inline void cedit_keep_terminal(void) {
    signal(SIGTSTP, cedit_on_stop);
    static const int numbers[] = { SIGTERM, SIGHUP, SIGQUIT };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) signal(numbers[i], cedit_on_signal);
}

// libedit measures and writes characters by the locale's type of characters, which must be UTF-8.
static inline int cedit_speak_utf8(void) {
    if (setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return 1;
    return setlocale(LC_CTYPE, "C.UTF-8") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

// An editor of standard input, NULL where there can be none; the parts of the prompt that take no room stand between
// characters 1. `entry` names the terminal whose entry is read in place of TERM's, NULL for that one's own.
static inline cedit_editor *cedit_open(
    const char *program, const char *prompt, const char *entry, int most, cedit_hooks hooks) {
    cedit_terminal *terminal = cedit_the_terminal();
    if (!cedit_speak_utf8() || tcgetattr(0, &terminal->found) != 0) return NULL;
    cedit_editor *editor = calloc(1, sizeof *editor);
    if (editor == NULL) return NULL;
    // libedit reads the entry of TERM, and the processes that are started get it as it was.
    char *term = getenv("TERM");
    char *found = entry != NULL && term != NULL ? strdup(term) : NULL;
    if (entry != NULL) setenv("TERM", entry, 1);
    editor->line = el_init(program, stdin, stdout, stderr);
    if (found != NULL) setenv("TERM", found, 1);
    free(found);
    editor->history = history_winit();
    if (editor->line == NULL || editor->history == NULL) {
        if (editor->line != NULL) el_end(editor->line);
        if (editor->history != NULL) history_wend(editor->history);
        free(editor);
        return NULL;
    }
    if (!terminal->is_changed) atexit(cedit_give_back);
    cedit_keep_terminal();
    terminal->is_changed = 1;
    editor->hooks = hooks;
    strncpy(editor->prompt, prompt, sizeof editor->prompt - 1);
    HistEventW event;
    EditLine *line = editor->line;
    el_set(line, EL_CLIENTDATA, editor);
    el_set(line, EL_PROMPT_ESC, cedit_prompt, '\1');
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_SIGNAL, 1);
    history_w(editor->history, &event, H_SETSIZE, most);
    history_w(editor->history, &event, H_SETUNIQUE, 1);
    el_wset(line, EL_HIST, history_w, editor->history);
    el_set(line, EL_GETCFN, cedit_read);
    el_wset(line, EL_ADDFN, L"convo-complete", L"completes a word", cedit_on_tab);
    el_wset(line, EL_ADDFN, L"convo-enter", L"sends a prompt that is whole", cedit_on_enter);
    el_wset(line, EL_ADDFN, L"convo-newline", L"begins a line", cedit_on_newline);
    el_wset(line, EL_ADDFN, L"convo-paste", L"takes a paste as it is", cedit_on_paste);
    static const char *const keys[][2] = {
        { "^R", "em-inc-search-prev" }, { "^S", "em-inc-search-next" }, { "^W", "ed-delete-prev-word" },
        { "\\e[3~", "ed-delete-next-char" }, { "\\e[1~", "ed-move-to-beg" }, { "\\e[4~", "ed-move-to-end" },
        { "\\e[7~", "ed-move-to-beg" }, { "\\e[8~", "ed-move-to-end" },
        { "\\e[1;5D", "ed-prev-word" }, { "\\e[1;5C", "em-next-word" },
        { "\\e[1;3D", "ed-prev-word" }, { "\\e[1;3C", "em-next-word" },
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) el_set(line, EL_BIND, keys[i][0], keys[i][1], NULL);
    el_source(line, NULL);
    // Where a line is longer than the terminal is wide, libedit moves signs on one row and forgets those of the next:
    // without these it writes what has changed anew.
    static const char *const moving[] = { "ic", "IC", "im", "ei", "ip", "dc", "DC", "dm", "ed" };
    for (size_t i = 0; i < sizeof moving / sizeof moving[0]; i++) el_set(line, EL_SETTC, moving[i], "", NULL);
    static const char *const own[][2] = {
        { "\\034", "ed-newline" }, { "^I", "convo-complete" }, { "^M", "convo-enter" }, { "^J", "convo-enter" },
        { "\\e^M", "convo-newline" }, { "\\e^J", "convo-newline" }, { "\\e[200~", "convo-paste" },
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) el_set(line, EL_BIND, own[i][0], own[i][1], NULL);
    return editor;
}

static inline const wchar_t *cedit_gets(cedit_editor *editor, int *count) { return el_wgets(editor->line, count); }
static inline const wchar_t *cedit_buffer(cedit_editor *editor, int *cursor, int *count) {
    const LineInfoW *info = el_wline(editor->line);
    *cursor = (int)(info->cursor - info->buffer);
    *count = (int)(info->lastchar - info->buffer);
    return info->buffer;
}
static inline int cedit_insert(cedit_editor *editor, const wchar_t *text) { return el_winsertstr(editor->line, text); }
static inline void cedit_delete(cedit_editor *editor, int count) { el_deletestr(editor->line, count); }
// As if libedit's own key for the end of a line were struck: no keyboard sends it.
static inline void cedit_send(cedit_editor *editor) { el_push(editor->line, "\034"); }
static inline void cedit_remember(cedit_editor *editor, const wchar_t *text) {
    HistEventW event;
    history_w(editor->history, &event, H_ENTER, text);
}
static inline void cedit_set_raw(cedit_editor *editor, int raw) { el_set(editor->line, EL_PREP_TERM, raw); }
// The bytes of the keys that a terminal makes signals of: interrupt, quit and stop; 0 for none.
typedef struct { unsigned char interrupt, quit, stop; } cedit_signal_keys;
static inline cedit_signal_keys cedit_keys_of_signals(void) {
    const cc_t *keys = cedit_the_terminal()->found.c_cc;
    cedit_signal_keys found = { keys[VINTR], keys[VQUIT], keys[VSUSP] };
    return found;
}
// Has the terminal make signals of those keys, or give them as they are: inside a paste they are text.
static inline void cedit_set_signals(int on) {
    struct termios now;
    if (tcgetattr(0, &now) != 0 || ((now.c_lflag & ISIG) != 0) == (on != 0)) return;
    if (on) now.c_lflag |= ISIG; else now.c_lflag &= ~(tcflag_t)ISIG;
    tcsetattr(0, TCSANOW, &now);
}
// As the terminal does it.
static inline void cedit_quit(void) { raise(SIGQUIT); }
static inline void cedit_interrupt(void) { kill(getpid(), SIGINT); }
// Stops the processes of the terminal, with that as it was found, and draws the line anew when they go on.
static inline void cedit_stop(cedit_editor *editor) {
    el_set(editor->line, EL_PREP_TERM, 0);
    if (write(1, "\033[?2004l\r\n", 10) < 0) return;
    struct sigaction plain, before;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(SIGTSTP, &plain, &before);
    kill(0, SIGTSTP);
    sigaction(SIGTSTP, &before, NULL);
    el_set(editor->line, EL_PREP_TERM, 1);
    if (write(1, "\033[?2004h", 8) < 0) return;
    el_set(editor->line, EL_REFRESH);
}
// Draws the line anew from where the cursor is.
static inline void cedit_redraw(cedit_editor *editor) {
    el_resize(editor->line);
    el_set(editor->line, EL_REFRESH);
}
// Cells of a character, as libedit counts them.
static inline int cedit_cells(unsigned scalar) {
    int cells = wcwidth((wchar_t)scalar);
    return cells < 0 ? 0 : cells;
}
static inline void cedit_close(cedit_editor *editor) {
    history_wend(editor->history);
    el_end(editor->line);
    free(editor);
    cedit_give_back();
}
// The terminal key by key and without an echo, or as it was found; 0 where there is none.
static inline int cedit_keys(int on) {
    cedit_terminal *terminal = cedit_the_terminal();
    if (!on) { cedit_give_back(); return 1; }
    if (tcgetattr(0, &terminal->found) != 0) return 0;
    if (!terminal->is_changed) atexit(cedit_give_back);
    cedit_keep_terminal();
    terminal->is_changed = 1;
    struct termios keys = terminal->found;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    keys.c_iflag &= ~(tcflag_t)ICRNL;
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    return tcsetattr(0, TCSADRAIN, &keys) == 0;
}
// Drops what was typed and not read yet.
static inline void cedit_drop_input(void) { tcflush(0, TCIFLUSH); }
