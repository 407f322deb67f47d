#include "cells/cpu/arena.h"

#include <sys/mman.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

namespace nowcell::cpu {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

// An odd number of cache lines apart, so that buffers used together do not fall into the same cache sets.
std::size_t spaced(std::size_t floats) {
    return (up(floats * sizeof(float), kLine) / kLine | 1U) * kLine / sizeof(float);
}

std::mutex pool_mutex;
std::vector<std::unique_ptr<Arena>>& pool() {
    static auto* const arenas = new std::vector<std::unique_ptr<Arena>>();  // outlives threads that end after main
    return *arenas;
}

}  // namespace

void FloatBuffer::Free::operator()(float* memory) const { std::free(memory); }

float* FloatBuffer::reserve(std::size_t floats) {
    if (floats <= size_) return memory_.get();
    memory_.reset();
    size_ = 0;
    const std::size_t bytes = floats * sizeof(float);
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
    void* const memory = std::aligned_alloc(alignment, up(bytes, alignment));
    if (memory == nullptr) throw std::bad_alloc();
    if (alignment == kHugePage) madvise(memory, up(bytes, alignment), MADV_HUGEPAGE);  // a wish: failing is fine
    memory_.reset(static_cast<float*>(memory));
    size_ = floats;
    return memory_.get();
}

void Arena::plan(float** pointer, std::size_t floats) { wanted_.push_back({pointer, floats}); }

void Arena::place() {
    std::size_t all = 0;
    for (const Wanted& w : wanted_) all += spaced(w.floats);
    float* next = buffer_.reserve(all);
    for (const Wanted& w : wanted_) {
        *w.pointer = w.floats > 0 ? next : nullptr;
        next += spaced(w.floats);
    }
}

ArenaLease::ArenaLease() {
    const std::lock_guard lock(pool_mutex);
    if (pool().empty()) {
        arena_ = std::make_unique<Arena>();
    } else {
        arena_ = std::move(pool().back());
        pool().pop_back();
    }
}

ArenaLease::~ArenaLease() {
    arena_->reset();
    const std::lock_guard lock(pool_mutex);
    pool().push_back(std::move(arena_));
}

}  // namespace nowcell::cpu
