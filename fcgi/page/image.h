/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_IMAGE_H
#define FCGI_PAGE_IMAGE_H

/* An image that is being shown, for the files that show parts of it. */

#include "fcgi/page/rows.h"
#include "fcgi/page/view.h"
#include "lib/store/portrait.h"

struct image_view {
    struct view *view;
    struct gallery gallery;   /* of all that is shown with it */
    struct portrait portrait; /* of what was asked for */
    /* Whose configuration and layers are shown: the same, or of an index the child for the platform
     * that is asked for by ?platform=, else for linux/amd64, else the first one. */
    struct portrait shown;
    bool has_shown;
    struct image_config config;
    bool has_config;
    struct rows rows; /* all of the repository */
    /* Of each layer: how many other images of the repository, of those that were looked at, have
     * it, and the tag of the first. */
    struct shared_layer {
        unsigned count;
        char tag[TAG_SIZE];
    } * shared;
};

#define IMAGE_VIEW_INIT(the_view)                                                                  \
    {                                                                                              \
        .view = (the_view), .gallery = gallery_make(view_repository(the_view)),                    \
        .portrait = PORTRAIT_INIT, .shown = PORTRAIT_INIT, .config = IMAGE_CONFIG_INIT,            \
        .rows = ROWS_INIT                                                                          \
    }
#define AUTO_IMAGE_VIEW AUTO(image_view_release)
void image_view_release(struct image_view *image);

/* What a reference stands for in the view's repository. ERROR_NOT_FOUND. */
int image_view_read(struct image_view *image, const char *reference, bool is_digest,
                    struct error *error);

/* configuration.c: how it runs, and what it is made of. */
void image_add_configuration(struct image_view *image);
void image_add_layers(struct image_view *image);
/* The step of the history that made a layer, by its number; or NULL. */
const struct history_step *image_step(const struct image_config *config, size_t layer);

/* relations.c: annotations; what refers to it, and what it is a part of. */
void image_add_annotations(struct image_view *image);
int image_add_relations(struct image_view *image, struct error *error);
/* Finds out which layers are shared; to be called before image_add_layers(). */
void image_find_shared(struct image_view *image);
/* The child of an index that is shown; its count if there is none. */
size_t image_choose_child(const struct description *description, const char *wanted);

/* A list of names and values in turns, in <dl>; values that are links of the web are links. */
void view_pairs(struct view *view, const struct names *pairs);

#endif
