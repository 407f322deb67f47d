// What the program and its reader processes say to each other. Free of LibTorch.
#pragma once

#include "data/formats/source_info.h"
#include "src/error.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Where a reader process finds its ends of the conversation.
inline constexpr int kReaderSocket = 3;
inline constexpr int kReaderMemory = 4;

/// The first byte of a message.
enum class Say : char {
    open = 'o',   ///< to the reader: SourceOptions as JSON
    read = 'r',   ///< to the reader: a ReadRequest as its bytes
    info = 'i',   ///< answer to open: SourceInfo as JSON
    done = 'd',   ///< answer to read: how many values are missing, 8 bytes
    alive = 'a',  ///< a slow opening makes progress
    error = 'e',  ///< an Error as JSON
};

/// Frames to decode, and where in the shared memory they go.
struct ReadRequest {
    std::int64_t recording = 0;
    std::int64_t first = 0;
    std::int64_t count = 0;
    std::int64_t position = 0;  ///< bytes from the beginning of the shared memory
    std::int64_t bytes = 0;     ///< that the frames take there
};

struct Message {
    Say say = Say::alive;
    std::string body;
};

/// Why receive() returned nothing.
enum class Silence { none, closed, late };

/// Sends a message whole. Returns false when the other end is gone.
bool send_message(int socket, Say say, const std::string& body);

/// Waits for a message of at most `largest` bytes until `deadline`. What is longer counts as closed.
Silence receive_message(int socket, Message& message, std::size_t largest,
                        std::chrono::steady_clock::time_point deadline);

std::string to_json(const SourceOptions& options);
std::string to_json(const SourceInfo& info);
std::string to_json(const Error& error);

/// The opposite ways. Throw std::exception on text that is not theirs: a reader that was taken over may send anything.
SourceOptions options_from_json(const std::string& text);
SourceInfo info_from_json(const std::string& text);
Error error_from_json(const std::string& text);

}  // namespace nowcell
