/* u128.h: the width of all sums.  2^64 records of 2^53 tokens each still fit. */
#ifndef BASE_U128_H
#define BASE_U128_H

__extension__ typedef unsigned __int128 u128;

#endif
