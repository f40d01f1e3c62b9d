/* eBPF instructions by name, so that the program below is read, not decoded; no compiler is needed for it. */
#pragma once

#include <linux/bpf.h>

#define INSTRUCTION(operation, to, from, offset, value) \
    ((struct bpf_insn){.code = (operation), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (value)})

#define MOVE(to, from) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define MOVE_LOW(to, from) INSTRUCTION(BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0) /* low 32 bits, rest zero */
#define SET(to, value) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define ADD(to, value) INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
#define SHIFT_RIGHT(to, value) INSTRUCTION(BPF_ALU64 | BPF_RSH | BPF_K, to, 0, 0, value)
#define LOAD32(to, from, offset) INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, to, from, offset, 0)
#define STORE32(to, offset, from) INSTRUCTION(BPF_STX | BPF_MEM | BPF_W, to, from, offset, 0)
#define STORE64(to, offset, from) INSTRUCTION(BPF_STX | BPF_MEM | BPF_DW, to, from, offset, 0)
#define ATOMIC_ADD64(to, offset, from) INSTRUCTION(BPF_STX | BPF_ATOMIC | BPF_DW, to, from, offset, BPF_ADD)
#define JUMP(over) INSTRUCTION(BPF_JMP | BPF_JA, 0, 0, over, 0)
#define JUMP_IF(to, value, over) INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, to, 0, over, value)
#define JUMP_UNLESS(to, value, over) INSTRUCTION(BPF_JMP | BPF_JNE | BPF_K, to, 0, over, value)
#define CALL(helper) INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT() INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Both take the room of two instructions. */
#define LOAD_MAP(to, map) INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map), INSTRUCTION(0, 0, 0, 0, 0)
#define LOAD_MAP_VALUE(to, map) \
    INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_VALUE, 0, map), INSTRUCTION(0, 0, 0, 0, 0)
