/*
 * codes.h: the stable codes of what the program says when something is wrong.
 *
 * Every WARN and ERROR line, every usage error and every reason of a failed object has one, such as
 * BM-O111: a letter for the family and three digits.  A number keeps its meaning for ever and is
 * never given again.  An error carries its code from where it is made (status.h), so no text is
 * ever searched for one.  docs/troubleshooting.md has a section for each; tests/docs compares.
 */
#ifndef BASE_CODES_H
#define BASE_CODES_H

/* clang-format off */
#define ERROR_CODES(X)                                                                       \
    /* O: objects */                                                                         \
    X(O100) X(O101) X(O102) X(O103) X(O104) X(O105) X(O106) X(O107) X(O108) X(O109) X(O110) X(O111) X(O120)  \
    X(O130) X(O131) X(O140) X(O141) X(O142) X(O143)                                          \
    /* T: texts in objects */                                                                \
    X(T101) X(T102) X(T103) X(T104) X(T110) X(T120) X(T121) X(T130)                                  \
    /* Q: messages and queues */                                                             \
    X(Q100) X(Q101) X(Q102) X(Q103) X(Q104) X(Q105) X(Q110) X(Q111) X(Q112) X(Q113) X(Q120) X(Q121)  \
    X(Q122) X(Q123) X(Q124) X(Q125) X(Q126) X(Q127) X(Q128) X(Q130) X(Q131) X(Q132)                          \
    /* P: publishing */                                                                      \
    X(P100) X(P101) X(P102) X(P103) X(P104) X(P105) X(P106) X(P107) X(P110) X(P111) X(P120)  \
    X(P121) X(P122) X(P130) X(P131)                                                          \
    /* L: the ledger */                                                                      \
    X(L100) X(L101) X(L102) X(L103) X(L104) X(L105) X(L106) X(L107) X(L108) X(L109) X(L111)  \
    X(L112) X(L113)                                                                          \
    X(L201) X(L202) X(L203) X(L204) X(L205) X(L206) X(L207) X(L208) X(L209) X(L210)          \
    /* S: serve, its store and its page */                                                   \
    X(S100) X(S101) X(S102) X(S110) X(S111) X(S112) X(S113) X(S115) X(S116)         \
    X(S118) X(S120) X(S121)                                                                  \
    /* R: runs as a whole */                                                                 \
    X(R100) X(R101) X(R102) X(R103) X(R104) X(R105) X(R110) X(R111) X(R112) X(R113) X(R120) X(R121)  \
    X(R122) X(R123) X(R124) X(R125) X(R130) X(R131) X(R132) X(R133) X(R134) X(R140) X(R141)          \
    /* U: command line and settings */                                                       \
    X(U100) X(U101) X(U102) X(U103) X(U104) X(U105) X(U106) X(U107) X(U108) X(U109)          \
    X(U201) X(U202) X(U203) X(U204) X(U205) X(U206) X(U207) X(U208) X(U209) X(U210) X(U211)  \
    X(U212) X(U213) X(U214) X(U215) X(U216) X(U217) X(U218) X(U219) X(U220) X(U221) X(U222)  \
    X(U223) X(U224) X(U225) X(U299)                                                          \
    X(U301) X(U302) X(U303) X(U304) X(U305) X(U306)                                  \
    X(U401) X(U402) X(U403) X(U404) X(U405)                                                  \
    /* A: AWS and the way to it */                                                           \
    X(A100) X(A101) X(A102) X(A103) X(A104) X(A105) X(A106) X(A107) X(A108) X(A109) X(A110)  \
    X(A111) X(A112) X(A113) X(A114)                                                          \
    X(A201) X(A202) X(A203) X(A204) X(A205) X(A206) X(A207) X(A208) X(A209) X(A210) X(A211)  \
    X(A212) X(A213) X(A214) X(A215) X(A216)                                                  \
    X(A301) X(A302) X(A303) X(A304) X(A305) X(A306) X(A307) X(A308) X(A309) X(A310)          \
    /* F: files */                                                                           \
    X(F101) X(F102) X(F103) X(F104) X(F105) X(F106) X(F107) X(F108) X(F109) X(F110)
/* clang-format on */

#define CODE_ENUMERATOR(name) E_##name,
enum code { E_NONE, ERROR_CODES(CODE_ENUMERATOR) E_END };
#undef CODE_ENUMERATOR

/* "BM-O111"; NULL for E_NONE and anything that is not a code. */
const char *code_text(enum code code);

#endif
