// The product behind a convolution: C (pixels, columns) += A (pixels, taps * channels) * B, on tensor cores.
// A is never built: its 16-byte pieces are gathered from the frames by cp.async, zeros outside of them. Each stage of
// the pipeline holds 64 bytes of every row of A and B; rows are swizzled so that ldmatrix meets no bank twice.
#pragma once

#include "cells/cuda/memory.cuh"

namespace nowcell::cuda {

/// Shape of a block's share: kWarpsM x kWarpsN warps of kTilesM * 16 pixels and 64 columns each.
template <int kWarpRows, int kWarpColumns, int kTiles, int kStageCount>
struct ProductTile {
    static constexpr int kWarpsM = kWarpRows, kWarpsN = kWarpColumns, kTilesM = kTiles, kStages = kStageCount;
    static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
    static constexpr int kRows = 16 * kTilesM * kWarpsM;
    static constexpr int kColumns = 64 * kWarpsN;
    static constexpr int kStageBytes = (kRows + kColumns) * 64;
    static constexpr int kSharedBytes = kStages * kStageBytes;
};
using LargeTile = ProductTile<4, 2, 2, 3>;  // 128 x 128
using SmallTile = ProductTile<4, 1, 1, 4>;  // 64 x 64

/// Numbers in the 64 bytes of a row.
template <class T>
constexpr int kDepth = 64 / sizeof(T);

/// What is gathered: frames (B,H,W,channels), each pixel's neighbourhood of kernel_height x kernel_width.
struct Gathered {
    const void* data;
    std::int64_t batch;
    int items, height, width, channels, kernel_height, kernel_width;
};

__device__ __forceinline__ uint32_t shared_address(const void* p) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// zeros: the 16 bytes are filled with zeros and `from` is not read.
__device__ __forceinline__ void copy_async(uint32_t to, const void* from, bool zeros) {
    const int bytes = zeros ? 0 : 16;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kPending>
__device__ __forceinline__ void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

__device__ __forceinline__ void load_matrices(uint32_t address, uint32_t (&m)[4]) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(address)
                 : "memory");
}

// 32 bytes of depth: 16 numbers of 16 bits, 8 of tf32. b points to two registers.
__device__ __forceinline__ void multiply(const uint32_t (&a)[4], const uint32_t* b, float (&c)[4], __nv_bfloat16) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void multiply(const uint32_t (&a)[4], const uint32_t* b, float (&c)[4], __half) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void multiply(const uint32_t (&a)[4], const uint32_t* b, float (&c)[4], float) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// To the nearest tf32: the tensor cores would cut the lower bits off.
__device__ __forceinline__ float rounded_to_tf32(float x) {
    uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}
template <class T>
__device__ __forceinline__ void round_operand(uint32_t (&m)[4]) {
    if constexpr (sizeof(T) == 4) {
#pragma unroll
        for (uint32_t& x : m) x = __float_as_uint(rounded_to_tf32(__uint_as_float(x)));
    }
}

/// kPacks: 16 bytes at a time, which channels and addresses must allow; else number by number.
template <class T, class Tile, bool kPacks>
class Product {
 public:
    /// Sums of this thread: [tile of 16 pixels][tile of 8 columns][pixel g, g + 8 x two columns], see row() and
    /// column().
    float sums[Tile::kTilesM][8][4] = {};

    /// weights: pieces of 64 bytes, (chunk of the depth, padded column).
    __device__ Product(const Gathered& a, const void* weights, int columns, unsigned char* shared)
        : a_(a), shared_(shared), weights_(static_cast<const unsigned char*>(weights)), columns_(columns) {
        const int pixels = a.height * a.width;
#pragma unroll
        for (int i = 0; i < kPiecesA; ++i) {
            const int row = static_cast<int>(blockIdx.x) * Tile::kRows + piece(i) / 4;
            const int item = row / pixels, pixel = row - item * pixels;
            from_[i].inside = item < a.items;
            from_[i].y = pixel / a.width;
            from_[i].x = pixel - from_[i].y * a.width;
            from_[i].frame = static_cast<const T*>(a.data) + (from_[i].inside ? item * a.batch : 0);
        }
    }

    /// All threads of the block call it once.
    __device__ void run() {
        const int chunks_of_tap = (a_.channels + kDepth<T> - 1) / kDepth<T>;
        const int chunks = chunks_of_tap * a_.kernel_height * a_.kernel_width;
        Cursor next{-(a_.kernel_height / 2), -(a_.kernel_width / 2), 0};
#pragma unroll
        for (int stage = 0; stage < Tile::kStages - 1; ++stage) fetch(stage, chunks, next);
        for (int chunk = 0; chunk < chunks; ++chunk) {
            wait_copies<Tile::kStages - 2>();
            __syncthreads();  // the stage is there for all, and nobody reads the one that comes next
            fetch(chunk + Tile::kStages - 1, chunks, next);
            multiply_stage(chunk % Tile::kStages);
        }
    }

    /// The pixel, counted over all frames, of sums[tile][.][2 * half + .].
    __device__ __forceinline__ int row(int tile, int half) const {
        return static_cast<int>(blockIdx.x) * Tile::kRows + (warp_row() * Tile::kTilesM + tile) * 16 + half * 8 +
               static_cast<int>(threadIdx.x % 32) / 4;
    }
    /// The first of this warp's 64 columns.
    __device__ __forceinline__ int column() const {
        return static_cast<int>(blockIdx.y) * Tile::kColumns + warp_column() * 64;
    }

 private:
    static constexpr int kPiecesA = Tile::kRows * 4 / Tile::kThreads;
    static constexpr int kPiecesB = Tile::kColumns * 4 / Tile::kThreads;

    struct Source {
        const T* frame;
        int y, x;
        bool inside;
    };
    // The next chunk: its place in the neighbourhood, and its first channel.
    struct Cursor {
        int dy, dx, channel;
    };

    static __device__ __forceinline__ int warp_row() { return static_cast<int>(threadIdx.x / 32) % Tile::kWarpsM; }
    static __device__ __forceinline__ int warp_column() { return static_cast<int>(threadIdx.x / 32) / Tile::kWarpsM; }
    static __device__ __forceinline__ int piece(int i) { return static_cast<int>(threadIdx.x) + i * Tile::kThreads; }
    static __device__ __forceinline__ int place(int row, int piece) {
        return row * 64 + ((piece ^ ((row >> 1) & 3)) << 4);
    }
    __device__ __forceinline__ unsigned char* rows_of(int stage) const { return shared_ + stage * Tile::kStageBytes; }

    // Starts the copies of a chunk, or of nothing behind the last one, and moves the cursor on.
    __device__ __forceinline__ void fetch(int chunk, int chunks, Cursor& next) {
        if (chunk < chunks) {
            unsigned char* const a = rows_of(chunk % Tile::kStages);
            unsigned char* const b = a + Tile::kRows * 64;
#pragma unroll
            for (int i = 0; i < kPiecesA; ++i) gather(i, a + place(piece(i) / 4, piece(i) % 4), next);
            const std::size_t first =
                (static_cast<std::size_t>(chunk) * columns_ + blockIdx.y * Tile::kColumns) * std::size_t{64};
#pragma unroll
            for (int i = 0; i < kPiecesB; ++i) {
                copy_async(shared_address(b + place(piece(i) / 4, piece(i) % 4)), weights_ + first + piece(i) * 16,
                           false);
            }
            next.channel += kDepth<T>;
            if (next.channel >= a_.channels) {
                next.channel = 0;
                if (++next.dx > a_.kernel_width / 2) {
                    next.dx = -(a_.kernel_width / 2);
                    ++next.dy;
                }
            }
        }
        commit_copies();
    }

    __device__ __forceinline__ void gather(int i, unsigned char* to, const Cursor& at) const {
        constexpr int kNumbers = kDepth<T> / 4;
        const int y = from_[i].y + at.dy, x = from_[i].x + at.dx, channel = at.channel + piece(i) % 4 * kNumbers;
        const bool there = from_[i].inside && y >= 0 && y < a_.height && x >= 0 && x < a_.width;
        const T* const pixel = from_[i].frame + (there ? (y * a_.width + x) * a_.channels : 0);
        if constexpr (kPacks) {
            const bool inside = there && channel < a_.channels;
            copy_async(shared_address(to), pixel + (inside ? channel : 0), !inside);
        } else {
            alignas(16) T numbers[kNumbers];
#pragma unroll
            for (int n = 0; n < kNumbers; ++n) {
                numbers[n] = there && channel + n < a_.channels ? pixel[channel + n] : from_float<T>(0.0F);
            }
            *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(numbers);
        }
    }

    __device__ __forceinline__ void multiply_stage(int stage) {
        const unsigned char* const rows = rows_of(stage);
        const unsigned char* const columns = rows + Tile::kRows * 64;
        const int lane = static_cast<int>(threadIdx.x % 32), matrix = lane / 8, line = lane % 8;
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            uint32_t a[Tile::kTilesM][4];
#pragma unroll
            for (int tile = 0; tile < Tile::kTilesM; ++tile) {
                const int row = (warp_row() * Tile::kTilesM + tile) * 16 + matrix % 2 * 8 + line;
                load_matrices(shared_address(rows + place(row, 2 * k + matrix / 2)), a[tile]);
                round_operand<T>(a[tile]);
            }
#pragma unroll
            for (int pair = 0; pair < 4; ++pair) {
                uint32_t b[4];
                const int row = warp_column() * 64 + pair * 16 + matrix / 2 * 8 + line;
                load_matrices(shared_address(columns + place(row, 2 * k + matrix % 2)), b);
#pragma unroll
                for (int tile = 0; tile < Tile::kTilesM; ++tile) {
                    multiply(a[tile], b, sums[tile][2 * pair], T());
                    multiply(a[tile], b + 2, sums[tile][2 * pair + 1], T());
                }
            }
        }
    }

    const Gathered& a_;
    unsigned char* const shared_;
    const unsigned char* const weights_;
    const int columns_;
    Source from_[kPiecesA];
};

}  // namespace nowcell::cuda
