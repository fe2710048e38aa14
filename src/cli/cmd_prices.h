/* cmd_prices.h: the command `prices`: the price list, one price explained, the list's age. */
#ifndef CLI_CMD_PRICES_H
#define CLI_CMD_PRICES_H

/*
 * argv[0] is "prices".  Result on standard output, the rest on standard error.  Returns the exit
 * code: 0; 1 when `explain` finds no price or the output cannot be written; 2 for wrong usage or a
 * price file that cannot be used.
 */
int cmd_prices(int argc, char **argv);

#endif
