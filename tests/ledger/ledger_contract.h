/* ledger_contract.h: what ledger.h promises, checked against any kind of ledger, and one in memory. */
#ifndef TESTS_LEDGER_CONTRACT_H
#define TESTS_LEDGER_CONTRACT_H

#include "ledger/ledger.h"

/*
 * Assertions of cmocka inside; l is empty at the start and stays the caller's.  repeats: calls
 * below the ledger are made again after a lost answer, so that it may meet its own prepare, and
 * skip markers.
 */
void ledger_contract_check(struct ledger *l, bool repeats);

/* A new ledger in memory; NULL when memory is short. */
struct ledger *ledger_memory_new(void);

/* Helpers for other tests: names made of a number. */
struct ledger_id contract_id(unsigned n);
struct ledger_nonce contract_nonce(unsigned n);

/* A template for mkdtemp: in memory where that is possible, because thousands of syncs are done. */
void contract_folder(char *out, size_t size);

/* A batch of members 1..n_members and n_parts planned parts, each its own payload of 4 data. */
void contract_record(struct ledger_record *r, unsigned batch, uint16_t n_members, uint16_t n_parts);

#endif
