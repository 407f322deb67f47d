// From TOML text to checked values: the only reader of configuration files.
#pragma once

#include "src/config.h"
#include "src/error.h"

#include <string>
#include <string_view>
#include <vector>

// Forward declarations keep toml++ in one translation unit.
namespace nowcell {

/// Fills a Config from one file and some overrides, collecting every problem before it throws.
class ConfigReader {
 public:
    explicit ConfigReader(const std::vector<Key>& keys);

    /// `folder`: what relative paths count from; empty leaves them alone.
    void read_text(const std::string& text, const std::string& name, const std::string& folder);
    void read_override(const std::string& assignment);

    /// Adds defaults and throws Error(usage) when anything was wrong.
    Config finish();

 private:
    struct Found;  // a TOML node with its dotted name and position

    void walk(const Found& found);
    void accept(const Found& found);
    bool accept_index(const Found& found);
    bool is_array_of_tables(const std::string& name) const;
    void unknown(const Found& found);
    void problem(std::string what, std::string where, std::string hint);
    void add_defaults();
    const Key* find(const std::string& generic) const;

    const std::vector<Key>& keys_;
    Config config_;
    std::vector<Problem> problems_;
    bool readable_ = true;  // what a file that is no TOML lacks is not worth a message
};

}  // namespace nowcell
