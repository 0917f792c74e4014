"""Sentences as people write them, and the app each one means."""

from __future__ import annotations

import pytest

from localcloud.anthropic.grammar.sentence import read_sentence
from localcloud.anthropic.narration import Facts, built

SENTENCES = [
    (
        (
            "A sign-up list for a choir: people leave a name, an e-mail address, a "
            "date of birth and whether they can read "
            "music. Newest first, and send a mail for each one."
        ),
        "Sign-up list",
        "name:text email_address:email date_of_birth:date can_read_music:boolean",
    ),
    (
        (
            "A wedding RSVP page: guests enter their name, email, number attending "
            "and a dietary choice (none, vegetarian, "
            "vegan). Email me every reply."
        ),
        "Wedding RSVP page",
        "name:text email:email number_attending:number dietary_choice:choice",
    ),
    (
        "Simple expense tracker. Amount, category (food, travel, other), date, and a note.",
        "Expense tracker",
        "amount:money category:choice date:date note:longtext",
    ),
    (
        (
            "I run a small bike shop. I want to record repairs: customer name, phone, "
            "bike model, price, status (waiting, in "
            "progress, done) and pickup date."
        ),
        "Repairs",
        "customer_name:text phone:phone bike_model:text price:money status:choice pickup_date:date",
    ),
    (
        "I need a waitlist for my bakery. Collect name and email address and send them a thank you email.",
        "Waitlist",
        "name:text email_address:email",
    ),
    (
        "Job application tracker with company, role, applied on, status, salary and link",
        "Job application tracker",
        "company:text role:text applied_on:date status:text salary:money link:url",
    ),
    (
        "Create a feedback form for my conference talk with a 1-5 rating, comments and optional email",
        "Feedback form",
        "rating:number comments:longtext email:email",
    ),
    (
        (
            "Recipe book. Each recipe should have a name, servings as a number, vegetarian "
            "(yes or no), a course which can "
            "be starter, main or dessert, and a source link."
        ),
        "Recipe book",
        "name:text servings:number vegetarian:boolean course:choice source_link:url",
    ),
    (
        "A form that asks for pet name, species (cat, dog, other), vaccinated?, birthday and owner email",
        "Form",
        "pet_name:text species:choice vaccinated:boolean birthday:date owner_email:email",
    ),
    (
        (
            "Keep a register of visitors: for every visitor store full name, company, "
            "arrival time and escorted (true/false)"
        ),
        "Visitors",
        "full_name:text company:text arrival_time:time escorted:boolean",
    ),
    (
        (
            "a table of florps having hue (text), span (number), seen (date), tame (checkbox), tier (select: x, "
            "y, z) and "
            "mail (email)"
        ),
        "Florps",
        "hue:text span:number seen:date tame:boolean tier:choice mail:email",
    ),
    (
        (
            "Manage gliders. A glider is described by a name as text, a first flight "
            "as date, an airworthy flag, a class as "
            "choice between standard, open and club, and an owner contact as e-mail."
        ),
        "Gliders",
        "name:text first_flight:date airworthy:boolean class:choice owner_contact:email",
    ),
    (
        "I collect stamps and want to catalogue them by country, year, value in $, mint yes/no",
        "Stamps",
        "country:text year:number value:money mint:boolean",
    ),
    (
        "I need something to keep track of who borrowed my tools: borrower, tool, lent on, returned yes/no",
        "Tools",
        "borrower:text tool:text lent_on:date returned:boolean",
    ),
    (
        (
            "Create a quokka registry where I can store each quokka's name (text), born on (date), diet "
            "(choice: leaves, "
            "grass, bark) and keeper e-mail (e-mail)."
        ),
        "Quokka registry",
        "name:text born_on:date diet:choice keeper_email:email",
    ),
    (
        "Let my customers book a table with name, phone, date, time and party size; e-mail me on each booking",
        "Tables",
        "name:text phone:phone date:date time:time party_size:number",
    ),
    (
        (
            "Erstelle eine Gästeliste für meine Hochzeit mit Name, E-Mail, Anzahl der "
            "Personen, Anreise am (Datum), Zusage "
            "ja/nein und Menü (Fleisch, Fisch oder vegan)"
        ),
        "Gästeliste",
        "name:text email:email anzahl_der_personen:number anreise_am:date zusage:boolean menue:choice",
    ),
    (
        (
            "Crée une application pour suivre mes dépenses avec montant, date, catégorie (courses, loyer, autre) et "
            "remboursé oui/non"
        ),
        "Dépenses",
        "montant:money date:date categorie:choice rembourse:boolean",
    ),
    (
        "Haz una app para registrar mis gastos: importe, fecha, categoría (comida, alquiler u otro) y pagado sí/no",
        "Gastos",
        "importe:money fecha:date categoria:choice pagado:boolean",
    ),
    (
        ("Wug manager with name:string, age:int, dob:date, active:bool, contact:email, level:enum(low,mid,high)"),
        "Wug manager",
        "name:text age:number dob:date active:boolean contact:email level:choice",
    ),
    (
        (
            "Build an app for tracking snurfs with the following fields:\n- name (text, required)\n- caught on "
            "(date)\n- released (yes/no)\n- size (small | medium)\n- finder (e-mail)"
        ),
        "Snurfs",
        "name:text caught_on:date released:boolean size:choice finder:email",
    ),
    (
        (
            "I need to store blips. A blip consists of a code (text), a launch day (date), a reusable flag "
            "(yes/no) and a colour (choice of red, green or blue)."
        ),
        "Blips",
        "code:text launch_day:date reusable:boolean colour:choice",
    ),
    (
        (
            "CRUD app for flumps: text: title; number: score; date: started; boolean: finished; choice: mood "
            "(happy, sad); email: owner"
        ),
        "Flumps",
        "title:text score:number started:date finished:boolean mood:choice owner:email",
    ),
    (
        (
            "I'd love an app that lets me manage quells, including their name, a price, when they were bought, "
            "if they are rare, the condition (mint/used), and the seller's e-mail"
        ),
        "Quells",
        "name:text price:money bought_on:date rare:boolean condition:choice sellers_email:email",
    ),
    (
        "a vork log: title, minutes (number), outdoors? (yes/no), mood: good|ok|bad, coach (email)",
        "Vork log",
        "title:text minutes:number outdoors:boolean mood:choice coach:email",
    ),
    (
        (
            "Small tool to note down frims; each one with a name, how many, the date, whether it's been checked "
            "and which kind (x, y or z)"
        ),
        "Frims",
        "name:text how_many:number date:date checked:boolean which_kind:choice",
    ),
    (
        (
            "Set up a grommet database with a name text field, a size number field, a date field for purchase, a "
            "checkbox for active and a select for state with new/used/broken"
        ),
        "Grommet database",
        "name:text size:number purchase:date active:boolean state:choice",
    ),
    (
        "Give me an app to catalog my wizzles by name and colour and rating out of 5",
        "Wizzles",
        "name:text colour:text rating:number",
    ),
    (
        "We want a booking form - guest name, guest email, arrival date, number of guests, breakfast yes/no",
        "Booking form",
        "guest_name:text guest_email:email arrival_date:date number_of_guests:number breakfast:boolean",
    ),
]


# Sentences that also say what one entry is: (sentence, title, one entry, fields).
COUNTED = [
    (
        (
            "A sign-up sheet for our school fair: people leave a name, an e-mail address, what they bring (cake, "
            "drinks or games) and for how many hours they can help. List the newest first and send me a mail "
            "for each one."
        ),
        "Sign-up sheet",
        "sign-up",
        "name:text email_address:email what_they_bring:choice hours_they_can_help:number",
    ),
    (
        (
            "A repair log for a bike workshop. Each repair has a customer, a bicycle, a date it came in, a price and "
            "whether it is done. Let me add, edit and delete repairs."
        ),
        "Repair log",
        "repair",
        "customer:text bicycle:text date_it_came_in:date price:money done:boolean",
    ),
    (
        (
            "A tool library for our street. Every tool has a name, an owner, a note and whether it is lent out right "
            "now. Neighbours can add tools and mark them as lent."
        ),
        "Tool library",
        "tool",
        "name:text owner:text note:longtext lent_out_right_now:boolean",
    ),
    (
        (
            "A reading list: title, author, the date I finished it and a rating from 1 to 5. Show how many books there "
            "are at the top."
        ),
        "Reading list",
        "book",
        "title:text author:text date_i_finished_it:date rating:number",
    ),
    (
        "I want to keep track of invoices: number, client, amount, due date, paid or not",
        "Invoices",
        "invoice",
        "number:number client:text amount:money due_date:date paid:boolean",
    ),
    (
        "Meeting room bookings with room, date, start time, end time and who booked it",
        "Meeting room bookings",
        "booking",
        "room:text date:date start_time:time end_time:time booked_by:text",
    ),
    (
        "A guestbook for our mountain hut. Guests leave a name and a note, newest first, and I get a mail for each",
        "Guestbook",
        "entry",
        "name:text note:longtext",
    ),
    (
        "let people suggest lunch places with name, address, price (cheap, ok, pricey) and link",
        "Lunch places",
        "lunch place",
        "name:text address:text price:choice link:url",
    ),
    (
        "Lost and found: item, where it was found, when it was found, who found it and whether it has been claimed",
        "Lost and found",
        "entry",
        "item:text where_it_was_found:text found_on:date found_by:text claimed:boolean",
    ),
    (
        (
            "A booking system for our sauna. Members choose a date, a start time and how many people come. Send me an "
            "email for every booking."
        ),
        "Booking system",
        "booking",
        "date:date start_time:time people:number",
    ),
    (
        "I'd like to manage a small library; each book has title, author, ISBN, number of copies and shelf",
        "Library",
        "book",
        "title:text author:text isbn:text number_of_copies:number shelf:text",
    ),
    (
        "Potluck sign-up: name, dish, serves how many, vegetarian?",
        "Potluck sign-up",
        "entry",
        "name:text dish:text serves_how_many:number vegetarian:boolean",
    ),
    (
        "An inventory for my wine cellar: name, year, bottles left, price. Warn me when bottles are running low.",
        "Wine cellar inventory",
        "entry",
        "name:text year:number bottles_left:number price:money",
    ),
    (
        "Track my sleep: date, bedtime, hours slept and quality 1-10",
        "Sleep",
        "sleep",
        "date:date bedtime:text hours_slept:number quality:number",
    ),
    (
        "Recipe collection; title; ingredients; servings; vegan (yes/no)",
        "Recipe collection",
        "recipe",
        "title:text ingredients:longtext servings:number vegan:boolean",
    ),
    (
        "A lunch order form. People choose a dish (pizza, pasta or salad), a size, and leave their name.",
        "Lunch order form",
        "lunch order",
        "dish:choice size:text name:text",
    ),
    (
        "A feedback box for our office. Anyone can leave a comment anonymously.",
        "Feedback box",
        "entry",
        "name:text notes:longtext",
    ),
    (
        "Expense report app with amount, currency choose from EUR, USD or GBP, date and receipt link",
        "Expense reports",
        "expense report",
        "amount:money currency:choice date:date receipt_link:url",
    ),
    (
        "a journal where I can write an entry each day with mood either good, neutral or bad",
        "Journal",
        "entry",
        "mood:choice",
    ),
    (
        "Eine Liste meiner Pflanzen mit Name, Kaufdatum und ob sie Schatten braucht",
        "Pflanzen",
        "Pflanzen",
        "name:text kaufdatum:date schatten_braucht:boolean",
    ),
    ("Un registre de visiteurs avec nom, e-mail et date", "Visiteurs", "visiteurs", "nom:text email:email date:date"),
]


@pytest.mark.parametrize(("sentence", "title", "one", "fields"), COUNTED, ids=[title for _, title, _, _ in COUNTED])
def test_one_entry_is_called_as_the_sentence_calls_it(sentence: str, title: str, one: str, fields: str) -> None:
    spec = read_sentence(sentence).spec
    assert spec is not None
    assert (spec.title, spec.one) == (title, one)
    assert " ".join(f"{item.name}:{item.type}" for item in spec.fields) == fields


# What is no field, and the fields the app gets where the sentence names none.
BEYOND = [
    (
        "A stock list with warnings when fewer than 5 are left",
        "Stock list",
        "name:text quantity:number",
        ("warnings when fewer than 5 are left",),
    ),
    ("A poll with live results", "Poll", "name:text vote:text", ("live results",)),
    ("build a website for my dog", "Website for my dog", "title:text text:longtext", ()),
    ("a contact form that emails me", "Contact form", "name:text email:email message:longtext", ()),
    (
        "Contacts with name, phone, email. Users can search, sort and filter. Add a login.",
        "Contacts",
        "name:text phone:phone email:email",
        ("Add a login",),
    ),
]


@pytest.mark.parametrize(("sentence", "title", "fields", "beyond"), BEYOND, ids=[title for _, title, _, _ in BEYOND])
def test_what_cannot_be_built_is_no_field_and_is_told(
    sentence: str, title: str, fields: str, beyond: tuple[str, ...]
) -> None:
    reading = read_sentence(sentence)
    assert reading.spec is not None
    assert reading.spec.title == title
    assert " ".join(f"{item.name}:{item.type}" for item in reading.spec.fields) == fields
    assert reading.beyond == beyond
    said = built(reading.spec, Facts(guessed=reading.guessed_fields, beyond=reading.beyond))
    assert all(words in said for words in beyond)


def test_a_contact_form_sends_what_is_written_to_its_owner() -> None:
    spec = read_sentence("a contact form that emails me").spec
    assert spec is not None
    assert spec.mail is not None
    assert spec.mail.to == "owner"


@pytest.mark.parametrize(("sentence", "title", "fields"), SENTENCES, ids=[title for _, title, _ in SENTENCES])
def test_the_app_is_the_one_the_sentence_means(sentence: str, title: str, fields: str) -> None:
    spec = read_sentence(sentence).spec
    assert spec is not None
    assert spec.title == title
    assert " ".join(f"{item.name}:{item.type}" for item in spec.fields) == fields
