// The moving squares of Keras' ConvLSTM example, number for number.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace nowcell {

/// How many movies, how long, and the seed that np.random.seed() would get.
struct MovingSquaresOptions {
    std::int64_t count = 1200;  ///< movies, >= 1
    std::int64_t frames = 15;   ///< of a movie, >= 2
    std::int64_t seed = 0;      ///< 0 to 2^32 - 1
};

/// Movies of 3 to 7 squares of 4 or 6 px that move straight and leave the frame, and each frame's successor without
/// noise.
struct MovingSquares {
    torch::Tensor noisy;    ///< (N,T,40,40) float64: squares are 1, their noise adds or takes 0.1; at most 1
    torch::Tensor shifted;  ///< (N,T,40,40) float64, 0 or 1: the squares one frame later
};

/// The arrays that Keras' generator gives after np.random.seed(seed), without its last axis of one channel.
/// Throws Error(usage) naming the flag.
/// Source: keras-team/keras 2.3.1, examples/conv_lstm.py, generate_movies().
MovingSquares make_moving_squares(const MovingSquaresOptions& options);

}  // namespace nowcell
